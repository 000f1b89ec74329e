import type { QueryClient, QueryKey } from '@tanstack/react-query';
import { createClientMemory, type ClientMemory } from '../core-client/client-memory.ts';
import { defaultStorage } from '../core-client/storage.ts';
import type { StorageLike } from '../core-client/types.ts';
import { FetchSession, type FetchSessionOptions } from './fetch-session.ts';

/** From the registry of symbols: the ESM and the CJS build of this package share the sessions of a client. */
const SESSIONS = Symbol.for('durable-proxy.fetchSessions');

/** The sessions of one `QueryClient`; they live as long as their queries do. */
export class FetchSessions {
  readonly #client: QueryClient;
  readonly #sessions = new Map<string, FetchSession>();
  /** What was learned about each proxy, by its URL: it must outlive the runs, which create a client each. */
  readonly #memories = new Map<string, ClientMemory>();
  /** For sessions without a storage of their own. One for all runs, so that a lost answer is found again. */
  readonly #storage: StorageLike = defaultStorage();

  /** Those of a client; kept on it, for there is no other place that all components share. */
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

  /** The session of a query; made when there is none. */
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
   * Sends the request of a query. An answer that is not read any more is no failure: the query goes back to its
   * initial state, so that the next component that shows it resumes the answer.
   */
  run(hash: string, queryKey: QueryKey, options: FetchSessionOptions): Promise<unknown> {
    // Looked up here, because the query may have been removed since the component rendered.
    const session = this.get(hash, options);
    session.update({ ...options, storage: options.storage ?? this.#storage });
    this.#warnOfConflict(session);
    return session.run(() => void this.#client.resetQueries({ queryKey, exact: true }));
  }

  /**
   * Clears the answers of a session's proxy and scope, also those that other components show, and removes what is stored
   * for the scope. Sends no request until a component asks for one.
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

  /** One `requestId` names one unfinished answer, so that a reload resumes only one of two requests. */
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
