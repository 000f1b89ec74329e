import type { ErrorCode } from '../../protocol/errors.ts';
import type { Outcome } from '../../protocol/outcomes.ts';
import type { Usage } from '../../protocol/usage.ts';
import { callGuarded, type Logger } from './logger.ts';

/** Fields of every event about one stream. */
export interface StreamEvent {
  readonly streamId: string;
  /** Whose stream it is; undefined for the plain secret. */
  readonly subject?: string | undefined;
}

/** What an operator can count. Never holds a secret, a signature, a query string or a body. */
export type ProxyEvent =
  /** A stream was made: the upstream answered 2xx. `upstream` is its origin and path; `headersMs` what it took. */
  | ({ type: 'created'; upstream: string; headersMs: number } & StreamEvent)
  /** An `Idempotency-Key` found its stream again: one upstream call saved. */
  | ({ type: 'replayed' } & StreamEvent)
  /** The first byte of the body arrived, `ms` after the upstream's headers. */
  | ({ type: 'first-byte'; ms: number } & StreamEvent)
  /** The answer is over. `usage` is what the provider reported, if the format of the answer was recognized. */
  | ({ type: 'closed'; outcome: Outcome; bytes: number; durationMs: number; usage?: Usage } & StreamEvent)
  | ({ type: 'read-begun'; mode: ReadMode } & StreamEvent)
  /** `bytes` of the answer (not of its framing) that were written. */
  | ({ type: 'read-ended'; mode: ReadMode; bytes: number; durationMs: number } & StreamEvent)
  /**
   * The upstream broke, and the answer continues: the first new event after it arrived. `attempt` counts requests,
   * `cause` is about the outcome that the stream would have had, `gapMs` the time without an upstream. `adopted` is true
   * if another process held the stream before.
   */
  | ({
      type: 'recovered';
      attempt: number;
      cause: 'upstream-error' | 'timeout' | 'truncated' | 'interrupted';
      gapMs: number;
      adopted: boolean;
    } & StreamEvent)
  /** The upstream of a stream that was stopped could not be told to stop. `status` of its last response, if any. */
  | ({ type: 'cancel-failed'; status: number | undefined } & StreamEvent)
  /** Somebody asked to stop it (PATCH or DELETE), or nobody has read it for `unreadTimeoutMs`. */
  | ({ type: 'aborted'; by: 'patch' | 'delete' | 'unread' } & StreamEvent)
  /** The receiver of webhooks accepted the closing of a stream. */
  | ({ type: 'webhook-delivered'; attempts: number; status: number; durationMs: number } & StreamEvent)
  /** An attempt failed. `reason` is a status or an error code. Without `willRetry` the webhook is given up. */
  | ({
      type: 'webhook-failed';
      attempts: number;
      reason: string;
      willRetry: boolean;
      durationMs: number;
    } & StreamEvent)
  /** A request was answered with an error. */
  | { type: 'refused'; code: ErrorCode; status: number; method: string };

/** How a stream is read. */
export type ReadMode = 'catch-up' | 'long-poll' | 'sse';

/** Receives the events of a proxy. What it throws is logged. */
export type OnEvent = (event: ProxyEvent) => void;

/** Wraps the option so that an exception or a rejected promise in it is logged, and disturbs no stream. */
export function safeEmitter(onEvent: OnEvent | undefined, logger: Logger): OnEvent {
  if (!onEvent) return () => undefined;
  return (event) =>
    callGuarded(
      () => onEvent(event),
      (err) => logger.error({ err, event: event.type }, 'onEvent threw'),
    );
}
