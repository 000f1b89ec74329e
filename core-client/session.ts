import { IDLE } from './state.ts';
import type { DurableRequestInit, DurableResponse, Resumption } from './types.ts';

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

/** What a view of an answer shows. Immutable: a change is a new object. */
export interface SessionSnapshot {
  /** The body so far, as UTF-8. */
  readonly text: string;
  readonly resumption: Resumption;
  /** There once the headers are. */
  readonly response: DurableResponse | undefined;
  /** True when nothing more will come. */
  readonly isDone: boolean;
  /** Why it ended before it was whole. */
  readonly error: unknown;
}

/** Begins the call of a session: with `durableFetch(url, init)`, or `durableFetch.resume(id, init)`. */
export type StartSession = (
  init: Pick<DurableRequestInit, 'onResumption' | 'signal'>,
) => Promise<DurableResponse | null>;

/** One answer, for any number of views. It lives outside of them: neither a new one nor an unmount touches it. */
export interface DurableSession {
  subscribe(listener: () => void): () => void;
  getSnapshot(): SessionSnapshot;
  /** The last snapshot, once nothing more will come. Never rejects. */
  readonly done: Promise<SessionSnapshot>;
  /** Stops the answer on the server. @throws what `response.abort()` throws. */
  abort(): Promise<void>;
  /** Takes hold of the session once more. */
  retain(): DurableSession;
  /** Lets go of the session, once per hold; when nobody holds it any more, reading stops. */
  release(): void;
}

/** The sessions of an application, by key. */
export interface SessionStore {
  /** Takes hold of the session of a key; begins it when there is none. Everyone who acquires it releases it. */
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
 *
 * @param graceMs milliseconds that an answer is read on while nobody holds it: a page that changes its layout
 * lets go and takes hold again.
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
