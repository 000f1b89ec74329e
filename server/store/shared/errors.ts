import { StoreError, type StoreErrorCode } from '../types.ts';

/** Returns whether a value is a `StoreError`, with this code if one is given. */
export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code);
}

/** Returns the error as a `StoreError`: `UNAVAILABLE` unless it is one already. */
export function toStoreError(error: unknown, message = 'Reading from the store failed'): StoreError {
  return isStoreError(error) ? error : new StoreError('UNAVAILABLE', message, { cause: error });
}

/** Returns the error for a stream that does not exist, or was deleted or has expired. */
export function notFound(): StoreError {
  return new StoreError('NOT_FOUND', 'The stream does not exist');
}
