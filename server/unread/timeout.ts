import { UNREAD_TIMEOUT } from '../../protocol/headers.ts';
import { ProxyError } from '../shared/errors.ts';

/** Value of `Unread-Timeout` for an answer that is never canceled for lack of readers. */
const INFINITE = 'infinite';

/** Entry of a stream's metadata with its timeout in milliseconds. A stream without a timeout has no such entry. */
const ENTRY = 'unreadTimeoutMs';

/**
 * Parses the `Unread-Timeout` header of a create.
 * @param value undefined if the header is absent.
 * @returns milliseconds, `Infinity` for `infinite`, undefined if the header is absent.
 * @throws ProxyError `INVALID_REQUEST` unless the value is `infinite` or a whole number of seconds of at least 1.
 */
export function parseUnreadTimeout(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value === INFINITE) return Infinity;
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value) * 1_000;
  throw new ProxyError(
    'INVALID_REQUEST',
    `${UNREAD_TIMEOUT} must be a whole number of seconds from 1 to 999999999, or "${INFINITE}". Example: ${UNREAD_TIMEOUT}: 300`,
  );
}

/**
 * Returns the metadata entries of a stream with this timeout. A create may ask for less than the option, or for no timeout.
 * @param askedMs milliseconds that the create asked for.
 * @param optionMs the option `unreadTimeoutMs`.
 */
export function unreadEntries(askedMs: number | undefined, optionMs: number): Record<string, string> {
  const timeoutMs = askedMs === Infinity ? Infinity : Math.min(askedMs ?? Infinity, optionMs);
  return timeoutMs < Number.MAX_SAFE_INTEGER ? { [ENTRY]: String(timeoutMs) } : {};
}

/** Returns the milliseconds that a stream may continue without a reader. Undefined if it has no timeout. */
export function unreadTimeoutOf(metadata: Readonly<Record<string, string>>): number | undefined {
  const timeoutMs = Number(metadata[ENTRY]);
  return timeoutMs > 0 ? timeoutMs : undefined;
}

/** Longest time between two notices, in milliseconds. */
const MAX_INTERVAL_MS = 30_000;

/**
 * Returns the milliseconds between two notices that a stream is read in another process: at most a quarter of its timeout, so
 * that one may be late or lost.
 */
export function noticeIntervalMs(timeoutMs: number): number {
  return Math.min(timeoutMs / 4, MAX_INTERVAL_MS);
}
