/** The errors of the client. All entry points of the client export them. */
export type { ErrorCode } from '../protocol/errors.ts';
export type { DurableErrorCode } from './error-codes.ts';
export {
  DurableError,
  DurableNetworkError,
  DurableStorageError,
  DurableStreamError,
  isDurableError,
  isDurableNetworkError,
  isDurableStreamError,
  type DurableErrorOptions,
  type ErrorTarget,
} from './errors.ts';
