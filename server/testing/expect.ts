import assert from 'node:assert/strict';
import { inspect } from 'node:util';

/** A condition in place of an expected value. Vitest and Jest support this form too. */
interface Condition {
  asymmetricMatch(actual: unknown): boolean;
}

/** Expects an object that has at least these properties. */
export function objectContaining(expected: Readonly<Record<string, unknown>>): Condition {
  return { asymmetricMatch: (actual) => isAlike(actual, expected, true) };
}

/** The assertions that the suites use, named as in Vitest and Jest, without a dependency on either. */
export function expect(actual: unknown, about?: string) {
  const check = (isTrue: boolean, what: string, expected?: unknown): void => {
    const subject = about === undefined ? '' : `${about}: `;
    const wanted = expected === undefined ? what : `${what} ${inspect(expected)}`;
    assert.ok(isTrue, `${subject}expected ${inspect(actual)} ${wanted}`);
  };
  const number = actual as number;
  return {
    not: {
      toContain: (expected: string) => check(!String(actual).includes(expected), 'not to contain', expected),
      toBe: (expected: unknown) => check(!Object.is(actual, expected), 'not to be', expected),
      toEqual: (expected: unknown) => check(!isAlike(actual, expected), 'not to equal', expected),
    },
    rejects: {
      toBe: (expected: unknown) => rejection(actual).then((error) => expect(error, about).toBe(expected)),
      toEqual: (expected: unknown) =>
        rejection(actual).then((error) => expect(error, about).toEqual(expected)),
    },
    toBe: (expected: unknown) => check(Object.is(actual, expected), 'to be', expected),
    toBeDefined: () => check(actual !== undefined, 'to be defined'),
    toBeUndefined: () => check(actual === undefined, 'to be undefined'),
    toBeGreaterThan: (expected: number) => check(number > expected, 'to be greater than', expected),
    toBeGreaterThanOrEqual: (expected: number) => check(number >= expected, 'to be at least', expected),
    toBeLessThan: (expected: number) => check(number < expected, 'to be less than', expected),
    toBeLessThanOrEqual: (expected: number) => check(number <= expected, 'to be at most', expected),
    toContain: (expected: unknown) =>
      check(
        typeof actual === 'string'
          ? actual.includes(String(expected))
          : (actual as unknown[]).includes(expected),
        'to contain',
        expected,
      ),
    toContainEqual: (expected: unknown) =>
      check(
        (actual as unknown[]).some((one) => isAlike(one, expected)),
        'to contain',
        expected,
      ),
    toEqual: (expected: unknown) => check(isAlike(actual, expected), 'to equal', expected),
    toHaveLength: (expected: number) =>
      check((actual as ArrayLike<unknown>).length === expected, 'to have the length', expected),
    toMatch: (expected: RegExp) => check(expected.test(String(actual)), 'to match', expected),
    toMatchObject: (expected: unknown) => check(isAlike(actual, expected, true), 'to match', expected),
  };
}

async function rejection(promise: unknown): Promise<unknown> {
  try {
    await (promise as Promise<unknown>);
  } catch (error) {
    return error;
  }
  return assert.fail('expected a rejection');
}

/** Compares values deeply; a property that is undefined counts as absent. */
function isAlike(actual: unknown, expected: unknown, isPartial = false): boolean {
  if (isCondition(expected)) return expected.asymmetricMatch(actual);
  if (actual instanceof Uint8Array && expected instanceof Uint8Array)
    return Buffer.compare(actual, expected) === 0;
  if (!isObject(actual) || !isObject(expected)) return Object.is(actual, expected);
  if (Array.isArray(actual) !== Array.isArray(expected)) return false;
  if (Array.isArray(actual) && actual.length !== (expected as unknown as unknown[]).length) return false;
  const names = isPartial ? Object.keys(expected) : [...Object.keys(actual), ...Object.keys(expected)];
  return names.every((name) => isAlike(actual[name], expected[name], isPartial));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCondition(value: unknown): value is Condition {
  return isObject(value) && typeof value['asymmetricMatch'] === 'function';
}
