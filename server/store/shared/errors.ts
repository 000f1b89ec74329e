import { isStoreError } from '../is-store-error.ts';
import { StoreError } from '../types.ts';

/** Returns the error as a `StoreError`: `UNAVAILABLE` unless it is one already. */
export function toStoreError(error: unknown, message = 'Reading from the store failed'): StoreError {
  return isStoreError(error) ? error : new StoreError('UNAVAILABLE', message, { cause: error });
}

/** Returns the error for a stream that does not exist, or was deleted or has expired. */
export function notFound(): StoreError {
  return new StoreError('NOT_FOUND', 'The stream does not exist');
}

/** Returns the error for an offset that the store did not issue for the stream. */
export function invalidOffset(): StoreError {
  return new StoreError('INVALID_OFFSET', 'The offset was not issued for this stream');
}
