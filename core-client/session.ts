import { IDLE } from './state.ts';
import type { DurableRequestInit, DurableResponse, Resumption } from './types.ts';

export * from './public-errors.ts';
export type {
  DurableRequestInit,
  DurableResponse,
  MaybePromise,
  ProxyAuthorization,
  Resumption,
  ResumptionStatus,
  StorageLike,
  WakeSource,
} from './types.ts';
export type { FormatName, Usage } from '../protocol/usage.ts';

/** State of a session, for display. Immutable: each change is a new object. */
export interface SessionSnapshot {
  /** The body so far, as UTF-8. */
  readonly text: string;
  /** State of the transfer. */
  readonly resumption: Resumption;
  /** Set once the headers have arrived. */
  readonly response: DurableResponse | undefined;
  /** True if no more text will arrive. */
  readonly isDone: boolean;
  /** Why the answer ended before it was complete; undefined without an error. */
  readonly error: unknown;
}

/**
 * Starts the call of a session: with `durableFetch(url, init)`, or `durableFetch.resume(id, init)`.
 * @param init pass it on with the options of the call: the session sets the call's `signal` and `onResumption`.
 */
export type StartSession = (
  init: Pick<DurableRequestInit, 'onResumption' | 'signal'>,
) => Promise<DurableResponse | null>;

/** One answer, shared by any number of views. Independent of them: mounting and unmounting do not affect it. */
export interface DurableSession {
  /**
   * Calls `listener` at each change.
   * @param listener function without arguments.
   * @returns a function that ends the subscription.
   */
  subscribe(listener: () => void): () => void;
  /** Returns the current state: the same object until something changes. */
  getSnapshot(): SessionSnapshot;
  /** Resolves with the last snapshot when no more text will arrive. Never rejects. */
  readonly done: Promise<SessionSnapshot>;
  /** Stops the answer on the server. @throws what `response.abort()` throws. */
  abort(): Promise<void>;
  /** Adds a holder. */
  retain(): DurableSession;
  /** Removes a holder. Reading stops if there is none left. */
  release(): void;
}

/** The sessions of an application, by key. */
export interface SessionStore {
  /**
   * Returns the session of a key with one more holder, and starts it if there is none. Call `release` once for each call.
   * @param key identifies the session. Views that use the same key share one session.
   * @param start starts the call. Not called if the key has a session already.
   */
  acquire(key: string, start: StartSession): DurableSession;
}

const EMPTY: SessionSnapshot = {
  text: '',
  resumption: IDLE,
  response: undefined,
  isDone: false,
  error: undefined,
};

/**
 * Creates a store of sessions: components that use the same key share one response.
 * @param graceMs milliseconds for which an answer without a holder is still read: a page that changes its layout
 * releases a session and acquires it again. @default 1000
 */
export function createSessionStore(graceMs = 1_000): SessionStore {
  const sessions = new Map<string, DurableSession>();
  return {
    acquire(key, start) {
      const session = sessions.get(key) ?? begin(start, graceMs, () => sessions.delete(key));
      sessions.set(key, session);
      return session.retain();
    },
  };
}

function begin(start: StartSession, graceMs: number, onEnd: () => void): DurableSession {
  const reading = new AbortController();
  const listeners = new Set<() => void>();
  let snapshot = EMPTY;
  let holders = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function publish(change: Partial<SessionSnapshot>): SessionSnapshot {
    snapshot = { ...snapshot, ...change };
    for (const listener of listeners) listener();
    return snapshot;
  }

  async function read(): Promise<SessionSnapshot> {
    try {
      const response = (await opening) ?? undefined;
      publish({ response });
      const reader = response?.body?.getReader();
      const decoder = new TextDecoder();
      for (let isDone = !reader; !isDone;) {
        const result = await reader!.read();
        isDone = result.done;
        publish({ text: snapshot.text + decoder.decode(result.value, { stream: !isDone }) });
      }
      return publish({ isDone: true });
    } catch (error) {
      return publish({ error, isDone: true });
    }
  }

  const opening = start({ signal: reading.signal, onResumption: (resumption) => publish({ resumption }) });
  const session: DurableSession = {
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    getSnapshot: () => snapshot,
    done: read(),
    abort: async () => (await opening)?.abort(),
    retain() {
      holders++;
      clearTimeout(timer);
      return session;
    },
    release() {
      if (--holders > 0) return;
      timer = setTimeout(() => {
        onEnd();
        reading.abort();
      }, graceMs);
    },
  };
  return session;
}
