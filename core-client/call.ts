import type { Outcome } from '../protocol/outcomes.ts';
import { backoff } from './backoff.ts';
import { isDurableError, isGone, lostContact, type ErrorTarget } from './errors.ts';
import type { Settings } from './settings.ts';
import { advance, IDLE, type StateEvent } from './state.ts';
import type { Resumption } from './types.ts';
import { reportChange } from './debug.ts';
import { notify } from './notify.ts';
import { isOffline, onWake } from './wake.ts';

type Change = Partial<Omit<Resumption, 'status'>>;

/** The read of a stream, as far as other calls of the client need it. */
export interface PausableRead {
  /** Gives up the connection until a promise settles: browsers open six to one origin over HTTP/1.1. */
  pause(until: Promise<unknown>): void;
}

/** One call beside its bytes: where it stands, how long it keeps trying, what ends it. */
export interface Call {
  readonly target: ErrorTarget;
  readonly outcome: Promise<Outcome>;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
  readonly resumption: Resumption;
  /** Told when the network or the page came back. */
  onWake?: (() => void) | undefined;
  /** Stops the upstream of a create that has no response yet. Set while there is one. */
  abortCreate?: (() => Promise<void>) | undefined;
  /** The stream that the body reads. Set once there is one. */
  link?: PausableRead | undefined;
  /** What the keys of the caller's scope begin with. Undefined until it is known. */
  root?: string | undefined;
  /** True after `release`: nothing may be stored any more. */
  isReleased?: boolean;
  dispatch(event: StateEvent, change?: Change): void;
  warn(warning: Error): void;
  /** Ends the call when the caller's signal does. Gives what a promise gives, unless the caller leaves first. */
  attend<T>(caller: AbortSignal | undefined, promise: Promise<T>): Promise<T>;
  /** The caller leaves: nothing is waited for, read or kept any more. */
  stop(reason: unknown): void;
  /** Ends the call without stopping the upstream, whatever `abortUpstream` says. */
  release(): void;
  /** The body is there. The listener is told within the turn when the caller leaves, to let go of what is open. */
  opened(onStop: (reason: unknown) => void): void;
  /** The answer is over, one way or another: lets go of the caller's signal and of the page's events. */
  end(event: StateEvent, outcome: Outcome, change?: Change): void;
  /** The answer cannot be had. Gives the error back, for whoever throws it. */
  fail(error: unknown): unknown;
  /** Resets the attempts and the retry time: bytes arrived, or a connection lasted for a good while. */
  progress(): void;
  /** Reports a connection that was lost after progress, and waits like for a first attempt, without counting one. */
  rest(cause: unknown): Promise<void>;
  /**
   * Waits until another attempt is due: for as long as `Retry-After` says, else for a backoff that ends early when the
   * network or the page comes back. Time offline and time asleep do not count as retry time.
   * @throws DurableNetworkError if the retry time or the attempts are used up; the signal's reason if the caller leaves.
   */
  retry(cause: unknown, limits?: RetryLimits): Promise<void>;
  /** Runs until it succeeds, the retry time is over, or it throws an error that another attempt cannot help. */
  persist<T>(run: () => Promise<T>, limits?: RetryLimits): Promise<T>;
}

export interface RetryLimits {
  /** Milliseconds from the first failure. @default `reconnectTimeoutMs` */
  readonly timeoutMs?: number;
  /** Longest backoff in milliseconds. @default 10,000 */
  readonly capMs?: number;
}

/** A wait that took this many milliseconds longer than asked for was a sleep of the machine. */
const SLEEP_SLACK_MS = 1_000;

/** What a call asks of its settings. */
export type CallSettings = Pick<
  Settings,
  | 'abortUpstream'
  | 'maxReconnectAttempts'
  | 'reconnectTimeoutMs'
  | 'heartbeatTimeoutMs'
  | 'onResumption'
  | 'wake'
  | 'debug'
  | 'onWarning'
>;

export function createCall(settings: CallSettings, target: ErrorTarget): Call {
  const controller = new AbortController();
  const { signal } = controller;
  let settle: (outcome: Outcome) => void;
  let unbind: (() => void) | undefined;
  let leave: (() => void) | undefined;
  let onStop: ((reason: unknown) => void) | undefined;
  /** Ends the wait for the next attempt. */
  let wake: (() => void) | undefined;
  let canHurry = false;
  let resumption = IDLE;
  let isOver = false;
  let attempt = 0;
  /** Retry time used up, in milliseconds awake and online. */
  let usedMs = 0;
  let countedAt = 0;

  const offWake = onWake(() => {
    attempt = 0;
    if (canHurry) wake?.();
    call.onWake?.();
  }, settings.wake);

  const sleep = (ms: number) =>
    new Promise<void>((resolve, reject) => {
      wake = () => {
        clearTimeout(timer);
        wake = undefined;
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      const timer = setTimeout(wake, ms);
    });

  /** Counts the time since the last count. A step cannot take longer than `maxMs` unless the machine slept. */
  const count = (maxMs: number) => {
    const now = Date.now();
    usedMs += Math.min(Math.max(now - countedAt, 0), maxMs);
    countedAt = now;
  };

  const call: Call = {
    target,
    signal,
    outcome: new Promise((resolve) => (settle = resolve)),
    get resumption() {
      return resumption;
    },
    dispatch(event, change) {
      const next = advance(resumption, event, change);
      if (next === resumption) return;
      reportChange(settings.debug, target, resumption, next);
      notify(settings.onResumption, (resumption = next));
    },
    warn: (warning) => notify(settings.onWarning, warning),
    attend(caller, promise) {
      if (!caller) return promise;
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          reject(caller.reason as Error);
          call.stop(caller.reason);
        };
        unbind = () => caller.removeEventListener('abort', onAbort);
        caller.addEventListener('abort', onAbort);
        if (caller.aborted) onAbort();
        promise.then(resolve, reject);
      });
    },
    stop(reason) {
      if (isOver || leave) return;
      call.dispatch(settings.abortUpstream ? 'stop' : 'detach');
      leave = () => {
        call.end('detach', 'aborted');
        controller.abort(reason);
        wake?.();
        onStop?.(reason);
      };
      if (onStop || !settings.abortUpstream) leave();
      // A server that knows no stop by key is stopped by the URL in the response, which is waited for.
      else void call.abortCreate?.().then(leave, call.warn);
    },
    release() {
      call.isReleased = true;
      settings.abortUpstream = false;
      call.stop(new DOMException('Released', 'AbortError'));
    },
    opened(listener) {
      onStop = listener;
      leave?.();
    },
    end(event, outcome, change) {
      if (isOver) return;
      isOver = true;
      call.dispatch(event, change);
      unbind?.();
      offWake();
      settle(outcome);
    },
    fail(error) {
      call.end(isGone(error) ? 'expire' : 'fail', 'interrupted', { error: error as Error });
      return error;
    },
    progress() {
      attempt = 0;
    },
    async rest(error) {
      call.dispatch('drop', { error: error as Error });
      canHurry = true;
      await sleep(backoff(1));
    },
    async retry(cause, { timeoutMs = settings.reconnectTimeoutMs, capMs } = {}) {
      signal.throwIfAborted();
      // After a stop another attempt could make the stream anew.
      if (leave && call.abortCreate) throw cause;
      const { maxReconnectAttempts = Infinity, heartbeatTimeoutMs } = settings;
      // An attempt that hangs, or in which the machine sleeps, must not use up all of the time.
      count(Math.min(heartbeatTimeoutMs, timeoutMs / 4));
      const isOff = isOffline();
      if (!attempt || isOff) usedMs = 0;
      const left = timeoutMs - usedMs;
      const asked = (isDurableError(cause) && cause.retryAfterMs) || 0;
      if ((++attempt > maxReconnectAttempts && !isOff) || asked >= left) {
        throw lostContact(cause, target, asked || undefined);
      }
      call.dispatch('drop', { attempt, error: cause as Error });
      canHurry = !asked;
      const ms = Math.max(asked, Math.min(backoff(attempt, capMs), left));
      await sleep(ms);
      count(ms + SLEEP_SLACK_MS);
    },
    async persist(run, limits) {
      for (;;) {
        try {
          return await run();
        } catch (error) {
          signal.throwIfAborted();
          if (isDurableError(error) && error.retryAfterMs === undefined) throw error;
          await call.retry(error, limits);
        }
      }
    },
  };
  return call;
}
