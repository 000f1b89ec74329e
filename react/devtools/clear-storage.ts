import { DATABASE } from '../../core-client/transports/page-contents.ts';

/**
 * Removes what the clients, transports and hooks of this page have stored, for all users.
 * @param prefix the option `storagePrefix` of the clients.
 */
export function clearStorage(prefix: string): void {
  for (const storage of [localStorage, sessionStorage])
    for (const key of Object.keys(storage)) if (key.startsWith(`${prefix}:`)) storage.removeItem(key);
  (globalThis as { indexedDB?: IDBFactory }).indexedDB?.deleteDatabase(DATABASE);
}
