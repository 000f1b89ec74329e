import { StoreError, type StoreErrorCode } from './types.ts';

/**
 * Returns true if a value is a `StoreError`.
 * @param codes accepted codes. Default: all codes.
 */
export function isStoreError(error: unknown, ...codes: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && (codes.length === 0 || codes.includes(error.code));
}
