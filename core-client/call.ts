import type { Outcome } from '../protocol/outcomes.ts';
import { backoff, READ_CAP_MS, REQUEST_CAP_MS } from './backoff.ts';
import { reportChange } from './debug.ts';
import { isDurableError, isGone, lostContact, type ErrorTarget } from './errors.ts';
import type { Mutable } from './mutable.ts';
import { notify } from './notify.ts';
import type { Settings } from './settings.ts';
import { advance, IDLE } from './state.ts';
import type { Resumption, ResumptionStatus } from './types.ts';
import { isOffline, onWake } from './wake.ts';

type Change = Partial<Omit<Resumption, 'status'>>;

/** What is attempted: `request` creates, finds or stops an answer, `read` reads one. Each has its own time limit. */
export type AttemptKind = 'request' | 'read';

/** Lifecycle of one call of the client: state, retries and cancellation. */
export interface Call {
  readonly target: ErrorTarget;
  readonly outcome: Promise<Outcome>;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
  readonly resumption: Resumption;
  /** True after `release`: the call must store nothing from then on. */
  readonly isReleased: boolean;
  /** Changes the state, unless it is final, and reports the change to the app. */
  dispatch(status: ResumptionStatus, change?: Change): void;
  warn(warning: Error): void;
  /** Called when the network or the page comes back. */
  onWake?: (() => void) | undefined;
  /**
   * Sets the function to call when the caller leaves, to release what is open. Called at once if the caller has left.
   * Once it is set, the answer has a body, which stops the upstream itself.
   */
  onLeave(listener: (reason: unknown) => void): void;
  /** Stops the upstream of a create. Called first if the caller leaves before the response, and `abortUpstream` is set. */
  stopCreate?: (() => Promise<void>) | undefined;
  /** Settles like `promise`, or rejects at once with the reason of the caller's signal, which also ends the call. */
  withSignal<T>(caller: AbortSignal | undefined, promise: Promise<T>): Promise<T>;
  /** Ends the call without stopping the upstream, even if `abortUpstream` is set. */
  release(): void;
  /** Ends the call because the caller left. */
  leave(reason: unknown): void;
  /** Ends the call, and removes its listeners from the caller's signal and the page. */
  end(status: ResumptionStatus, outcome: Outcome, change?: Change): void;
  /** Ends the call with an error. @returns the error. */
  fail(error: unknown): unknown;
  /** Resets the attempts and the retry time. Called when bytes arrive, or when a connection has lasted for some seconds. */
  progress(): void;
  /**
   * Waits before another connection: as long as `Retry-After` says, else for a backoff that ends early when the network or
   * the page comes back. A connection that was alive, which service workers and proxies may cut, is not a failed attempt.
   * @param cause the error that ended the connection; undefined if the server ended it.
   * @throws DurableNetworkError if the retry time or the attempts are used up; the signal's reason if the caller leaves.
   */
  reconnect(cause: unknown, wasAlive: boolean): Promise<void>;
  /**
   * Runs an operation until it succeeds, the retry time is over, or it throws an error that another attempt cannot
   * change.
   */
  persist<T>(kind: AttemptKind, run: () => Promise<T>): Promise<T>;
}

/** The settings that a call needs. */
export type CallSettings = Pick<
  Settings,
  | 'abortUpstream'
  | 'maxReconnectAttempts'
  | 'reconnectTimeoutMs'
  | 'retryTimeoutMs'
  | 'heartbeatTimeoutMs'
  | 'onResumption'
  | 'onWarning'
  | 'wake'
  | 'debug'
>;

/**
 * Creates a call.
 * @param target the request, for errors and debug lines.
 */
export function createCall(settings: CallSettings, target: ErrorTarget = {}): Call {
  const controller = new AbortController();
  const { signal } = controller;
  let resolveOutcome: (outcome: Outcome) => void;
  /** Completes a leave. Set once the caller has left. */
  let finishLeaving: (() => void) | undefined;
  let leaveListener: ((reason: unknown) => void) | undefined;
  /** Ends the wait before the next attempt. */
  let endWait: (() => void) | undefined;
  let canHurry = false;
  let isOver = false;
  /** Failed attempts since the last progress. */
  let attempt = 0;
  /** Milliseconds since the first of them. Time offline, and time asleep during a wait, do not count. */
  let usedMs = 0;
  /** When the attempt in progress began. */
  let attemptedAt = 0;

  const progress = () => void (attempt = 0);

  const wait = async (ms: number) => {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    signal.throwIfAborted();
  };

  const retry = async (kind: AttemptKind, cause: unknown) => {
    signal.throwIfAborted();
    // After a stop, another attempt could create the stream again.
    if (finishLeaving && call.stopCreate) throw cause;
    const isRead = kind === 'read';
    const timeoutMs = isRead ? settings.reconnectTimeoutMs : settings.retryTimeoutMs;
    const isOff = isOffline();
    // An attempt that hangs, or in which the machine sleeps, must not use up all of the time.
    usedMs += Math.max(0, Math.min(Date.now() - attemptedAt, settings.heartbeatTimeoutMs, timeoutMs / 4));
    if (!attempt || isOff) usedMs = 0;
    const leftMs = timeoutMs - usedMs;
    const askedMs = (isDurableError(cause) && cause.retryAfterMs) || 0;
    if ((++attempt > (settings.maxReconnectAttempts ?? Infinity) && !isOff) || askedMs >= leftMs)
      throw lostContact(cause, target, askedMs || undefined);
    const ms = Math.max(askedMs, Math.min(backoff(attempt, isRead ? READ_CAP_MS : REQUEST_CAP_MS), leftMs));
    usedMs += ms;
    // Before the create has started, there is nothing to reconnect to.
    call.dispatch(call.resumption.status === 'idle' ? 'idle' : 'reconnecting', {
      attempt,
      error: cause as Error,
    });
    canHurry = !askedMs;
    await wait(ms);
    attemptedAt = Date.now();
  };

  const call: Mutable<Call> = {
    target,
    signal,
    outcome: new Promise((resolve) => (resolveOutcome = resolve)),
    resumption: IDLE,
    isReleased: false,
    dispatch(status, change) {
      // The caller has left. A stop that was sent before can still succeed.
      if (signal.aborted && status !== 'aborted') return;
      const previous = call.resumption;
      const next = advance(previous, status, change);
      if (next === previous) return;
      call.resumption = next;
      reportChange(settings.debug, target, previous, next);
      notify(settings.onResumption, next);
    },
    warn: (warning) => notify(settings.onWarning, warning),
    onLeave(listener) {
      leaveListener = listener;
      finishLeaving?.();
    },
    withSignal(caller, promise) {
      if (!caller) return promise;
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          reject(caller.reason as Error);
          call.leave(caller.reason);
        };
        caller.addEventListener('abort', onAbort);
        void call.outcome.then(() => caller.removeEventListener('abort', onAbort));
        promise.then(resolve, reject);
        if (caller.aborted) onAbort();
      });
    },
    release() {
      call.isReleased = true;
      settings.abortUpstream = false;
      call.leave(new DOMException('Released', 'AbortError'));
    },
    leave(reason) {
      if (isOver || finishLeaving) return;
      call.dispatch(settings.abortUpstream ? 'aborted' : 'idle');
      finishLeaving = () => {
        call.end('idle', 'aborted');
        controller.abort(reason);
        endWait?.();
        leaveListener?.(reason);
      };
      if (leaveListener || !settings.abortUpstream) finishLeaving();
      // If the server cannot stop by key, the call waits for the response and stops the stream by its URL.
      else call.stopCreate?.().then(finishLeaving, call.warn);
    },
    end(status, outcome, change) {
      if (isOver) return;
      isOver = true;
      call.dispatch(status, change);
      stopListening();
      resolveOutcome(outcome);
    },
    fail(error) {
      call.end(isGone(error) ? 'expired' : 'failed', 'interrupted', { error: error as Error });
      return error;
    },
    progress,
    reconnect(cause, wasAlive) {
      if (!wasAlive) return retry('read', cause ?? new Error('The connection ended'));
      progress();
      call.dispatch('reconnecting', { error: cause as Error });
      canHurry = true;
      return wait(backoff(1));
    },
    async persist(kind, run) {
      for (;;) {
        try {
          return await run();
        } catch (error) {
          if (isDurableError(error) && error.retryAfterMs === undefined) throw error;
          await retry(kind, error);
        }
      }
    },
  };
  const stopListening = onWake(() => {
    progress();
    if (canHurry) endWait?.();
    call.onWake?.();
  }, settings.wake);
  return call;
}
