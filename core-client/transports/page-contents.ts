import { pageStorage } from '../storage.ts';
import type { StorageLike } from '../types.ts';
import { indexedDbStorage } from './indexed-db.ts';
import { removeIf, type ConditionalStorage } from '../remove-if.ts';

/** Name of the database in IndexedDB. */
export const DATABASE = 'durable-proxy';

/** A storage of messages. */
export interface Contents extends ConditionalStorage {
  keys?(): Promise<readonly string[]>;
  /** Stores the messages while the storage fails. `keys` does not list these. */
  readonly fallback?: Storage;
}

/**
 * Returns the storage for the messages of unfinished turns. In a page this is IndexedDB, which has space for images, or
 * `sessionStorage` if IndexedDB fails. Never `localStorage`: it would keep conversations in plain text after the tab is
 * closed, and they would use the quota of the records.
 *
 * @param storage stores the records of unfinished answers. If the app supplied it, it stores the messages too.
 */
export function contentsFor(storage: StorageLike): Contents {
  const session = storage === pageStorage() ? sessionStorageOf(window) : undefined;
  if (!session) return storage;
  const database = indexedDbStorage(DATABASE);
  if (!database) return session;
  return {
    // This tab writes to `sessionStorage` if the database fails, so that value is newer than the database's.
    getItem: async (key) => session.getItem(key) ?? (await database.getItem(key).catch(() => null)),
    async setItem(key, value) {
      session.removeItem(key);
      await database.setItem(key, value).catch(() => session.setItem(key, value));
    },
    async removeItem(key) {
      session.removeItem(key);
      await database.removeItem(key);
    },
    async removeIf(key, condition) {
      await removeIf(session, key, condition);
      await database.removeIf(key, condition);
    },
    keys: () => database.keys(),
    fallback: session,
  };
}

function sessionStorageOf(page: Window): Storage | undefined {
  try {
    return page.sessionStorage;
  } catch {
    return undefined;
  }
}
