/** Adds a test. `timeoutMs`: milliseconds that it may take. */
export type TestFunction = (title: string, test: () => Promise<void>, timeoutMs?: number) => unknown;

/**
 * The functions of a test runner. The globals of Vitest and Jest have this form. This package imports neither, so that
 * the suites run under the runner that you have. With `node:test`, pass `before` and `after` as `beforeAll` and `afterAll`.
 */
export interface TestApi {
  /** Adds a group of tests. */
  readonly describe: (title: string, tests: () => void) => unknown;
  /** Adds a test. With `concurrent`, tests that wait for streams to expire run at the same time. */
  readonly it: TestFunction & { readonly concurrent?: TestFunction };
  readonly beforeAll: (hook: () => Promise<void>) => unknown;
  readonly afterAll: (hook: () => Promise<void>) => unknown;
}
