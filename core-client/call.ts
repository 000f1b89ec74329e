import type { Outcome } from '../protocol/outcomes.ts';
import { backoff, READ_CAP_MS, REQUEST_CAP_MS } from './backoff.ts';
import { reportChange } from './debug.ts';
import { isDurableError, isGone, lostContact, type ErrorTarget } from './errors.ts';
import type { Mutable } from './mutable.ts';
import { notify } from './notify.ts';
import { createRetryBudget } from './retry-budget.ts';
import type { Settings } from './settings.ts';
import { advance, IDLE, type StateEvent } from './state.ts';
import type { Resumption } from './types.ts';
import { onWake } from './wake.ts';

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
  /** True after `release`: nothing may be stored any more. */
  readonly isReleased: boolean;
  /** Changes the state, and reports the change to the app. */
  dispatch(event: StateEvent, change?: Change): void;
  warn(warning: Error): void;
  /** Sets the function to call when the network or the page comes back. */
  onWake(listener: () => void): void;
  /**
   * Sets the function to call when the caller leaves, to release what is open. Called at once if the caller has left.
   * Once it is set, the answer has a body, which stops the upstream itself.
   */
  onLeave(listener: (reason: unknown) => void): void;
  /** Runs a create. If the caller leaves meanwhile and `abortUpstream` is set, calls `stop` first. */
  whileCreating<T>(stop: () => Promise<void>, create: () => Promise<T>): Promise<T>;
  /** Settles like `promise`, or rejects at once with the reason of the caller's signal, which also ends the call. */
  withSignal<T>(caller: AbortSignal | undefined, promise: Promise<T>): Promise<T>;
  /** Ends the call without stopping the upstream, whatever `abortUpstream` says. */
  release(): void;
  /** Ends the call because the caller left. */
  leave(reason: unknown): void;
  /** Ends the call, and removes its listeners from the caller's signal and the page. */
  end(event: StateEvent, outcome: Outcome, change?: Change): void;
  /** Ends the call with an error. @returns the error. */
  fail(error: unknown): unknown;
  /** Resets the attempts and the retry time: bytes arrived, or a connection lasted for a good while. */
  progress(): void;
  /** Reports a connection that was lost after progress, and waits as before a first attempt, without counting one. */
  rest(cause: unknown): Promise<void>;
  /**
   * Waits before another attempt to read: as long as `Retry-After` says, else for a backoff that ends early when the
   * network or the page comes back.
   * @throws DurableNetworkError if the retry time or the attempts are used up; the signal's reason if the caller leaves.
   */
  retry(cause: unknown): Promise<void>;
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
export function createCall(settings: CallSettings, target: ErrorTarget): Call {
  const controller = new AbortController();
  const { signal } = controller;
  const budget = createRetryBudget(settings);
  const limits = {
    request: { timeoutMs: settings.retryTimeoutMs, capMs: REQUEST_CAP_MS },
    read: { timeoutMs: settings.reconnectTimeoutMs, capMs: READ_CAP_MS },
  };
  let resolveOutcome: (outcome: Outcome) => void;
  let unbind: (() => void) | undefined;
  /** Completes a leave. Set once the caller has left. */
  let finishLeaving: (() => void) | undefined;
  let leaveListener: ((reason: unknown) => void) | undefined;
  let wakeListener: (() => void) | undefined;
  /** Stops the upstream of a create that has no response yet. */
  let stopCreate: (() => Promise<void>) | undefined;
  /** Ends the wait before the next attempt. */
  let endWait: (() => void) | undefined;
  let canHurry = false;
  let isOver = false;

  const stopListening = onWake(() => {
    budget.reset();
    if (canHurry) endWait?.();
    wakeListener?.();
  }, settings.wake);

  const wait = (ms: number) =>
    new Promise<void>((resolve, reject) => {
      endWait = () => {
        clearTimeout(timer);
        endWait = undefined;
        if (signal.aborted) reject(signal.reason as Error);
        else resolve();
      };
      const timer = setTimeout(endWait, ms);
    });

  const retry = async (kind: AttemptKind, cause: unknown) => {
    signal.throwIfAborted();
    // After a stop, another attempt could create the stream anew.
    if (finishLeaving && stopCreate) throw cause;
    const askedMs = (isDurableError(cause) && cause.retryAfterMs) || 0;
    const ms = budget.spend(limits[kind], askedMs);
    if (ms === undefined) throw lostContact(cause, target, askedMs || undefined);
    call.dispatch('drop', { attempt: budget.attempt, error: cause as Error });
    canHurry = !askedMs;
    await wait(ms);
    budget.waited(ms);
  };

  const call: Mutable<Call> = {
    target,
    signal,
    outcome: new Promise((resolve) => (resolveOutcome = resolve)),
    resumption: IDLE,
    isReleased: false,
    dispatch(event, change) {
      const previous = call.resumption;
      const next = advance(previous, event, change);
      if (next === previous) return;
      call.resumption = next;
      reportChange(settings.debug, target, previous, next);
      notify(settings.onResumption, next);
    },
    warn: (warning) => notify(settings.onWarning, warning),
    onWake(listener) {
      wakeListener = listener;
    },
    onLeave(listener) {
      leaveListener = listener;
      finishLeaving?.();
    },
    whileCreating(stop, create) {
      stopCreate = stop;
      return create().finally(() => (stopCreate = undefined));
    },
    withSignal(caller, promise) {
      if (!caller) return promise;
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          reject(caller.reason as Error);
          call.leave(caller.reason);
        };
        unbind = () => caller.removeEventListener('abort', onAbort);
        caller.addEventListener('abort', onAbort);
        if (caller.aborted) onAbort();
        promise.then(resolve, reject);
      });
    },
    release() {
      call.isReleased = true;
      settings.abortUpstream = false;
      call.leave(new DOMException('Released', 'AbortError'));
    },
    leave(reason) {
      if (isOver || finishLeaving) return;
      call.dispatch(settings.abortUpstream ? 'stop' : 'detach');
      finishLeaving = () => {
        call.end('detach', 'aborted');
        controller.abort(reason);
        endWait?.();
        leaveListener?.(reason);
      };
      if (leaveListener || !settings.abortUpstream) finishLeaving();
      // If the server cannot stop by key, the call waits for the response and stops the stream by its URL.
      else void stopCreate?.().then(finishLeaving, call.warn);
    },
    end(event, outcome, change) {
      if (isOver) return;
      isOver = true;
      call.dispatch(event, change);
      unbind?.();
      stopListening();
      resolveOutcome(outcome);
    },
    fail(error) {
      call.end(isGone(error) ? 'expire' : 'fail', 'interrupted', { error: error as Error });
      return error;
    },
    progress: budget.reset,
    rest(error) {
      call.dispatch('drop', { error: error as Error });
      canHurry = true;
      return wait(backoff(1));
    },
    retry: (cause) => retry('read', cause),
    async persist(kind, run) {
      for (;;) {
        try {
          return await run();
        } catch (error) {
          signal.throwIfAborted();
          if (isDurableError(error) && error.retryAfterMs === undefined) throw error;
          await retry(kind, error);
        }
      }
    },
  };
  return call;
}
