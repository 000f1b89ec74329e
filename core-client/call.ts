import type { Outcome } from '../protocol/outcomes.ts';
import { backoff } from './backoff.ts';
import { DurableError, DurableNetworkError, isGone, type ErrorTarget } from './errors.ts';
import type { Settings } from './settings.ts';
import { advance, IDLE, type StateEvent } from './state.ts';
import type { Resumption } from './types.ts';
import { onWake } from './wake.ts';

type Change = Partial<Omit<Resumption, 'status'>>;

/** One call beside its bytes: where it stands, how long it keeps trying, what ends it. */
export interface Call {
  readonly target: ErrorTarget;
  readonly outcome: Promise<Outcome>;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
  readonly resumption: Resumption;
  /** Told when the network or the page came back. */
  onWake: (() => void) | undefined;
  dispatch(event: StateEvent, change?: Change): void;
  warn(warning: Error): void;
  /** Ends the call when the caller's signal does. Gives what a promise gives, unless the caller leaves first. */
  attend<T>(caller: AbortSignal | undefined, promise: Promise<T>): Promise<T>;
  /** The caller leaves: nothing is waited for, read or kept any more. */
  stop(reason: unknown): void;
  /** The body is there. The listener is told within the turn when the caller leaves, to let go of what is open. */
  opened(onStop: (reason: unknown) => void): void;
  /** The answer is over, one way or another: lets go of the caller's signal and of the page's events. */
  end(event: StateEvent, outcome: Outcome, change?: Change): void;
  /** The answer cannot be had. Gives the error back, for whoever throws it. */
  fail(error: unknown): unknown;
  /** Bytes came, or a connection held for a good while: whatever fails next fails for the first time. */
  progress(): void;
  /**
   * Waits until another attempt is due. A proxy's `Retry-After` is kept to; a mere backoff ends when the
   * network or the page comes back.
   * @param attempts how many to make where the options do not say.
   * @throws DurableNetworkError when it is time to give up; the signal's reason when the caller leaves.
   */
  retry(cause: unknown, attempts?: number): Promise<void>;
  /** Runs until it works, gives up, or throws an error of ours that says that no other attempt makes sense. */
  persist<T>(run: () => Promise<T>, attempts?: number): Promise<T>;
}

/** What a call asks of its settings. */
export type CallSettings = Pick<
  Settings,
  'abortUpstream' | 'maxReconnectAttempts' | 'reconnectTimeoutMs' | 'onResumption' | 'onWarning'
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
  let failingSince = 0;

  const offWake = onWake(() => {
    // Time that the machine slept through says nothing about the network.
    attempt = 0;
    if (canHurry) wake?.();
    call.onWake?.();
  });

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

  const call: Call = {
    target,
    signal,
    outcome: new Promise((resolve) => (settle = resolve)),
    onWake: undefined,
    get resumption() {
      return resumption;
    },
    dispatch(event, change) {
      const next = advance(resumption, event, change);
      if (next !== resumption) tell(settings.onResumption, (resumption = next));
    },
    warn: (warning) => tell(settings.onWarning, warning),
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
      // To stop the upstream its URL must be known: a POST is waited for, though not by its caller.
      if (onStop || !settings.abortUpstream) leave();
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
    async retry(cause, attempts = Infinity) {
      signal.throwIfAborted();
      const { maxReconnectAttempts = attempts, reconnectTimeoutMs } = settings;
      const now = Date.now();
      if (!attempt) failingSince = now;
      const left = failingSince + reconnectTimeoutMs - now;
      const asked = (cause as Partial<DurableError>).retryAfterMs ?? 0;
      if (++attempt > maxReconnectAttempts || asked >= left) {
        throw new DurableNetworkError('NETWORK_ERROR', 'The proxy did not answer', { cause, target });
      }
      call.dispatch('drop', { attempt, error: cause as Error });
      canHurry = asked === 0;
      await sleep(Math.max(asked, Math.min(backoff(attempt), left)));
    },
    async persist(run, attempts) {
      for (;;) {
        try {
          return await run();
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof DurableError && error.retryAfterMs === undefined) throw error;
          await call.retry(error, attempts);
        }
      }
    },
  };
  return call;
}

/** A listener that throws is its own problem, as with event listeners: not the answer's. */
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
