import type { Outcome } from '../protocol/outcomes.ts';
import { backoff } from './backoff.ts';
import { reportChange } from './debug.ts';
import { isDurableError, isGone, lostContact, type ErrorTarget } from './errors.ts';
import type { Mutable } from './mutable.ts';
import { notify } from './notify.ts';
import { createRetryBudget, type AttemptKind, type RetrySettings } from './retry-budget.ts';
import type { Settings } from './settings.ts';
import { advance, IDLE } from './state.ts';
import type { Resumption, ResumptionStatus } from './types.ts';
import { onWake } from './wake.ts';

type Change = Partial<Omit<Resumption, 'status'>>;

/** What a call calls back. */
export interface CallListeners {
  /**
   * Called when the caller leaves, to release what is open; at once if the caller has left. Once it is set, the answer
   * has a body, which stops the upstream itself.
   */
  readonly onLeave?: (reason: unknown) => void;
  /** Called when the network or the page comes back. */
  readonly onWake?: () => void;
  /** Stops the upstream of a create. Called first if the caller leaves before the response, and `abortUpstream` is set. */
  readonly stopCreate?: () => Promise<void>;
}

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
  /** Sets listeners. Each replaces the one that was set before. */
  listen(added: CallListeners): void;
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
export type CallSettings = RetrySettings &
  Pick<Settings, 'abortUpstream' | 'onResumption' | 'onWarning' | 'wake' | 'debug'>;

/** Returns the reason with which calls end when their user's data is removed. */
export const released = () => new DOMException('Released', 'AbortError');

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
  let listeners: CallListeners = {};
  /** Ends the wait before the next attempt. */
  let endWait: (() => void) | undefined;
  let canHurry = false;
  let isOver = false;
  const budget = createRetryBudget(settings);

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
    if (finishLeaving && listeners.stopCreate) throw cause;
    const askedMs = (isDurableError(cause) && cause.retryAfterMs) || 0;
    const next = budget.spend(kind, askedMs);
    if (!next) throw lostContact(cause, target, askedMs || undefined);
    // Before the create has started, there is nothing to reconnect to.
    call.dispatch(call.resumption.status === 'idle' ? 'idle' : 'reconnecting', {
      attempt: next.attempt,
      error: cause as Error,
    });
    canHurry = !askedMs;
    await wait(next.waitMs);
    budget.begin();
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
    listen(added) {
      listeners = { ...listeners, ...added };
      if (added.onLeave) finishLeaving?.();
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
      call.leave(released());
    },
    leave(reason) {
      if (isOver || finishLeaving) return;
      call.dispatch(settings.abortUpstream ? 'aborted' : 'idle');
      finishLeaving = () => {
        call.end('idle', 'aborted');
        controller.abort(reason);
        endWait?.();
        listeners.onLeave?.(reason);
      };
      if (listeners.onLeave || !settings.abortUpstream) finishLeaving();
      // If the server cannot stop by key, the call waits for the response and stops the stream by its URL.
      else listeners.stopCreate?.().then(finishLeaving, call.warn);
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
    progress: budget.restore,
    reconnect(cause, wasAlive) {
      if (!wasAlive) return retry('read', cause ?? new Error('The connection ended'));
      budget.restore();
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
    budget.restore();
    if (canHurry) endWait?.();
    listeners.onWake?.();
  }, settings.wake);
  return call;
}
