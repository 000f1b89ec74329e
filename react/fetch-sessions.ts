import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { createClientMemory, type ClientMemory } from '../core-client/client-memory.ts';
import { defaultStorage } from '../core-client/storage.ts';
import type { StorageLike } from '../core-client/types.ts';
import { FetchSession, type FetchSessionOptions } from './fetch-session.ts';

/** Registered symbol, so that the ESM and the CJS build of this package share the sessions of a `QueryClient`. */
const SESSIONS = Symbol.for('durable-proxy.fetchSessions');

/** The sessions of one `QueryClient`. A session lives as long as its query. */
export class FetchSessions {
  readonly #client: QueryClient;
  readonly #sessions = new Map<string, FetchSession>();
  /** State of the client for each proxy URL. It outlives the runs, each of which creates a client. */
  readonly #memories = new Map<string, ClientMemory>();
  /** Storage of sessions without the option `storage`. Shared by all runs, so that a run can resume a lost answer. */
  readonly #storage: StorageLike = defaultStorage();

  /** Returns the sessions of a `QueryClient`, which all components share. */
  static of(client: QueryClient): FetchSessions {
    const held = Reflect.get(client, SESSIONS) as FetchSessions | undefined;
    if (held) return held;
    const sessions = new FetchSessions(client);
    Object.defineProperty(client, SESSIONS, { value: sessions });
    return sessions;
  }

  private constructor(client: QueryClient) {
    this.#client = client;
    client.getQueryCache().subscribe(({ type, query }) => {
      if (type !== 'removed') return;
      const session = this.#sessions.get(query.queryHash);
      if (session && !session.isShown) session.release();
      this.#sessions.delete(query.queryHash);
    });
  }

  /** Returns the session of a query. Creates it if there is none. */
  get(hash: string, options: FetchSessionOptions): FetchSession {
    const held = this.#sessions.get(hash);
    if (held) return held;
    const memory = this.#memories.get(options.proxyUrl) ?? createClientMemory();
    this.#memories.set(options.proxyUrl, memory);
    const session = new FetchSession({ ...options, storage: options.storage ?? this.#storage }, memory);
    this.#sessions.set(hash, session);
    return session;
  }

  /**
   * Sends the request of a query. If no component shows the answer, the query returns to its initial state, so that
   * the next component that shows it resumes the answer.
   */
  run(hash: string, queryKey: QueryKey, options: FetchSessionOptions): Promise<unknown> {
    // The query may have been removed since the component rendered.
    const session = this.get(hash, options);
    session.update({ ...options, storage: options.storage ?? this.#storage });
    this.#warnOfConflict(session);
    return session.run(() => void this.#client.resetQueries({ queryKey, exact: true }));
  }

  /**
   * Clears all answers of the session's proxy and scope, in all components, and removes everything that is stored for
   * the scope. Sends no request until a component asks for one.
   */
  forget(session: FetchSession): Promise<void> {
    const { proxyUrl, scope } = session.options;
    for (const [hash, held] of this.#sessions) {
      if (held.options.proxyUrl !== proxyUrl || held.options.scope !== scope) continue;
      held.clear();
      this.#client.getQueryCache().get(hash)?.reset();
    }
    return session.forget();
  }

  /** Warns if two requests use one `requestId` at the same time: a reload can resume only one of them. */
  #warnOfConflict(session: FetchSession): void {
    const { requestId, proxyUrl, onWarning } = session.options;
    if (requestId === undefined) return;
    for (const other of this.#sessions.values()) {
      if (other === session || !other.isShown || !other.isRunning) continue;
      const { options } = other;
      if (options.requestId !== requestId || options.proxyUrl !== proxyUrl || isSame(other, session))
        continue;
      onWarning?.(
        new Error(
          `The requestId ${JSON.stringify(requestId)} is in use by another request at the same time. After a reload ` +
            'only the later one is resumed. Give each request its own requestId, or none.',
        ),
      );
      return;
    }
  }
}

function isSame({ options: a }: FetchSession, { options: b }: FetchSession): boolean {
  return a.url === b.url && a.method === b.method && a.body === b.body;
}
