import { pageStorage } from '../storage.ts';
import type { StorageLike } from '../types.ts';
import { indexedDbStorage } from './indexed-db.ts';
import { removeIf, type ConditionalStorage } from './remove-if.ts';

/**
 * Returns where the messages of unfinished turns are kept. In a page that is IndexedDB, which has room for
 * pictures, or, where that fails, `sessionStorage`, which ends with the tab. Never `localStorage`: there a
 * conversation would stay in clear text and take the room of the credentials.
 *
 * @param storage the one that holds the credentials. One that the app brought itself holds the messages too.
 */
export function contentsFor(
  storage: StorageLike,
): ConditionalStorage & { keys?(): Promise<readonly string[]> } {
  const session = storage === pageStorage() ? sessionStorageOf(window) : undefined;
  if (!session) return storage;
  const database = indexedDbStorage('durable-proxy');
  if (!database) return session;
  return {
    // What this tab could not write to the database is newer than what the database has.
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
    keys: async () => [...Object.keys(session), ...(await database.keys())],
  };
}

function sessionStorageOf(page: Window): Storage | undefined {
  try {
    return page.sessionStorage;
  } catch {
    return undefined;
  }
}
