/** The matchers that the suites use: those of Jest, which Vitest has too. */
export interface Matchers<R = void> {
  readonly not: Pick<Matchers<R>, 'toBe' | 'toEqual'>;
  toBe(expected: unknown): R;
  toBeDefined(): R;
  toBeGreaterThan(expected: number): R;
  toBeGreaterThanOrEqual(expected: number): R;
  toBeLessThan(expected: number): R;
  toBeLessThanOrEqual(expected: number): R;
  toBeUndefined(): R;
  toContain(expected: unknown): R;
  toContainEqual(expected: unknown): R;
  toEqual(expected: unknown): R;
  toHaveLength(expected: number): R;
  toMatch(expected: RegExp): R;
  toMatchObject(expected: object): R;
}

/** The function `expect` of Vitest or Jest. */
export interface Expect {
  (actual: unknown): Matchers & { readonly rejects: Matchers<Promise<void>> };
  objectContaining(expected: Record<string, unknown>): unknown;
}

/**
 * The functions of a test runner. The globals of Vitest and Jest have this form. This package imports neither, so that
 * the suites run under the runner that you have.
 */
export interface TestApi {
  describe(title: string, tests: () => void): unknown;
  /** @param timeoutMs milliseconds that the test may take. */
  it(title: string, test: () => Promise<void>, timeoutMs?: number): unknown;
  beforeAll(hook: () => Promise<void>): unknown;
  afterAll(hook: () => Promise<void>): unknown;
  readonly expect: Expect;
}
