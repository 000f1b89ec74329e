/**
 * Adds a test.
 * @param title title of the test.
 * @param test body of the test. The test fails if it rejects.
 * @param timeoutMs milliseconds that the test may take.
 */
export type TestFunction = (title: string, test: () => Promise<void>, timeoutMs?: number) => unknown;

/**
 * The functions of a test runner. The globals of Vitest and Jest have this form. This package imports neither, so
 * that the suites run under your runner. With `node:test`, pass `before` and `after` as `beforeAll` and `afterAll`.
 */
export interface TestApi {
  /** Adds a group of tests. */
  readonly describe: (title: string, tests: () => void) => unknown;
  /** Adds a test. With `concurrent`, tests that wait for streams to expire run at the same time. */
  readonly it: TestFunction & { readonly concurrent?: TestFunction };
  readonly beforeAll: (hook: () => Promise<void>) => unknown;
  readonly afterAll: (hook: () => Promise<void>) => unknown;
}
