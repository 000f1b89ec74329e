import { StoreError } from './types.ts';

/** Milliseconds that a create waits for one operation of the store. */
export const CREATE_STORE_MS = 5_000;

/**
 * Returns a promise that rejects if another one has not settled in time. The operation itself is not cancelled.
 * @param ms milliseconds.
 * @throws StoreError `UNAVAILABLE` if the time has passed.
 */
export async function inTime<T>(operation: Promise<T>, ms: number, what = 'The store'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreError('UNAVAILABLE', `${what} did not answer within ${ms / 1_000} s`)),
      ms,
    );
  });
  try {
    return await Promise.race([operation, limit]);
  } finally {
    clearTimeout(timer);
  }
}
