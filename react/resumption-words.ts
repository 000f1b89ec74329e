import { REPORTED_ERROR, UNREAD } from '../protocol/outcomes.ts';
import type { Resumption, ResumptionStatus } from '../core-client/types.ts';
import { isOffline } from '../core-client/wake.ts';

/** Why there is no answer, if that is more specific than the status. */
export type ResumptionReason =
  | 'truncated'
  | 'reported'
  | 'unread'
  | 'refused'
  | 'rateLimited'
  | 'notAllowed'
  | 'unauthorized'
  | 'offline'
  | 'unreachable';

/** The part of an error that a sentence can use. */
export interface RefusedRequest {
  /** Error message of the proxy or the provider. */
  readonly message: string;
  /** Code of the error. */
  readonly code?: string | undefined;
  /** HTTP status of the response. */
  readonly status?: number | undefined;
  /** Milliseconds of the `Retry-After` header. */
  readonly retryAfterMs?: number | undefined;
}

/** A sentence, or a function that builds it from the error. */
export type ResumptionWord = string | ((error: RefusedRequest) => string);

/** Sentences to show to the user, one for each status and reason. An empty one shows nothing. */
export type ResumptionWords = Readonly<
  Record<ResumptionStatus | ResumptionReason | 'resumed', ResumptionWord>
>;

/** The English sentences. */
export const WORDS: ResumptionWords = {
  idle: '',
  creating: 'Asking\u2026',
  streaming: 'Answering\u2026',
  resumed: 'Back where the answer left off\u2026',
  reconnecting: 'Connection lost. Reconnecting\u2026',
  complete: '',
  aborted: 'Stopped.',
  failed: 'The answer was cut off.',
  expired: 'This answer is no longer available.',
  truncated: 'The answer ended before it was complete.',
  reported: 'The model reported an error.',
  unread: 'The answer was stopped because no one was reading it.',
  refused: ({ message }) => `The request was refused: ${message}`,
  rateLimited: ({ retryAfterMs }) =>
    `Too many requests. Try again ${retryAfterMs ? timeOf(retryAfterMs) : 'later'}.`,
  notAllowed: 'The proxy does not allow this URL. Add it to its option allowlist.',
  unauthorized: 'You are not signed in, or your session has ended.',
  offline: 'You are offline. The request continues when you are online again.',
  unreachable: 'The server cannot be reached.',
};

function timeOf(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `in ${seconds} s` : `in ${Math.ceil(seconds / 60)} min`;
}

/** Returns why there is no answer, or undefined if the status is specific enough. */
export function reasonOf({
  status,
  error,
  receivedBytes,
  outcome,
}: Resumption): ResumptionReason | undefined {
  if (status === 'reconnecting') return isOffline() ? 'offline' : undefined;
  const { code, status: httpStatus } = (error ?? {}) as Partial<RefusedRequest>;
  if (status === 'aborted' && code === UNREAD) return 'unread';
  if (status !== 'failed' || error === undefined) return undefined;
  if (outcome === 'truncated') return outcome;
  // The second one is the code of a chat's `ModelError`.
  if (code === REPORTED_ERROR || code === 'MODEL_FAILED') return 'reported';
  if (receivedBytes > 0) return undefined;
  if (error.name === 'DurableNetworkError') return isOffline() ? 'offline' : 'unreachable';
  if (!httpStatus) return undefined;
  if (code === 'UPSTREAM_NOT_ALLOWED') return 'notAllowed';
  if (httpStatus === 401) return 'unauthorized';
  return httpStatus === 429 ? 'rateLimited' : 'refused';
}

/**
 * Returns the sentence for a resumption.
 *
 * @param given sentences of the page. A reason without a given sentence uses the given sentence of its status, so that a
 * page in another language shows no English sentence.
 */
export function wordOf(
  resumption: Resumption,
  reason: ResumptionReason | undefined,
  given: Partial<ResumptionWords> = {},
): string {
  const { status, wasResumed, error } = resumption;
  const state = status === 'streaming' && wasResumed ? 'resumed' : status;
  const word = (reason && given[reason]) ?? given[state] ?? WORDS[reason ?? state];
  return typeof word === 'string' ? word : word(error ?? { message: '' });
}
