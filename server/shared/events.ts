import type { ErrorCode } from '../../protocol/errors.ts';
import type { Outcome } from '../../protocol/outcomes.ts';
import type { Usage } from '../../protocol/usage.ts';
import { callGuarded, type Logger } from './logger.ts';

/** Fields of every event about one stream. */
export interface StreamEvent {
  /** Id of the stream. */
  readonly streamId: string;
  /** Subject of the stream; undefined if it was created with the plain secret. */
  readonly subject?: string | undefined;
}

/** Events for metrics and logs. They never contain a secret, a signature, a query string or a body. */
export type ProxyEvent =
  /**
   * A stream was created. `upstream` is the origin and path of the URL, `headersMs` the time until the upstream's
   * headers. `idempotencyKey` and `streamKey` are the keys of the create, if it had them.
   */
  | ({
      type: 'created';
      upstream: string;
      headersMs: number;
      idempotencyKey?: string;
      streamKey?: string;
    } & StreamEvent)
  /** An `Idempotency-Key` matched an existing stream, so the upstream was not called. */
  | ({ type: 'replayed' } & StreamEvent)
  /** The first byte of the body arrived, `ms` after the upstream's headers. */
  | ({ type: 'first-byte'; ms: number } & StreamEvent)
  /**
   * The stream was closed. `bytes` is the number of stored bytes. `usage` contains what the provider reported, if the
   * format of the response was recognized.
   */
  | ({ type: 'closed'; outcome: Outcome; bytes: number; durationMs: number; usage?: Usage } & StreamEvent)
  | ({ type: 'read-begun'; mode: ReadMode } & StreamEvent)
  /** `bytes` counts the bytes of the stream (not of its framing) that were sent. */
  | ({ type: 'read-ended'; mode: ReadMode; bytes: number; durationMs: number } & StreamEvent)
  /**
   * The stream continues after a failure of the upstream: the first new event has arrived. `attempt` counts requests,
   * `cause` describes the outcome that the stream would have had, `gapMs` is the time without an upstream. `adopted` is
   * true if another process ran the stream before.
   */
  | ({
      type: 'recovered';
      attempt: number;
      cause: 'upstream-error' | 'timeout' | 'truncated' | 'interrupted';
      gapMs: number;
      adopted: boolean;
    } & StreamEvent)
  /**
   * This process no longer runs the stream: another process has adopted it, or can adopt it because this one shuts
   * down. The process that continues the stream emits `closed`.
   */
  | ({ type: 'released' } & StreamEvent)
  /** The upstream of a stopped stream could not be canceled. `status` is the status of its last response, if any. */
  | ({ type: 'cancel-failed'; status: number | undefined } & StreamEvent)
  /** A client aborted (PATCH) or deleted (DELETE) the stream, or it had no reader for `unreadTimeoutMs`. */
  | ({ type: 'aborted'; by: 'patch' | 'delete' | 'unread' } & StreamEvent)
  /** The receiver of webhooks accepted the closing of a stream. */
  | ({ type: 'webhook-delivered'; attempts: number; status: number; durationMs: number } & StreamEvent)
  /**
   * A delivery failed. `reason` is a status or an error code. If `willRetry` is false, there will be no further
   * attempt.
   */
  | ({
      type: 'webhook-failed';
      attempts: number;
      reason: string;
      willRetry: boolean;
      durationMs: number;
    } & StreamEvent)
  /** A request got an error response. */
  | { type: 'refused'; code: ErrorCode; status: number; method: string };

/** How a stream is read. */
export type ReadMode = 'catch-up' | 'long-poll' | 'sse';

/**
 * Receives the events of a proxy. Exceptions are logged.
 * @param event the event. `type` names its kind.
 */
export type OnEvent = (event: ProxyEvent) => void;

/** Wraps the option so that exceptions and rejected promises are logged and do not affect streams. */
export function safeEmitter(onEvent: OnEvent | undefined, logger: Logger): OnEvent {
  if (!onEvent) return () => undefined;
  return (event) =>
    callGuarded(
      () => onEvent(event),
      (err) => logger.error({ err, event: event.type }, 'onEvent threw'),
    );
}
