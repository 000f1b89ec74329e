/** An asynchronous `StorageLike` that can list its keys. */
export interface DatabaseStorage {
  getItem(key: string): Promise<string | null>;
  setItem(key: string, value: string): Promise<void>;
  removeItem(key: string): Promise<void>;
  /** Removes an item if its value meets the condition, in one transaction. */
  removeIf(key: string, condition: (text: string) => boolean): Promise<void>;
  keys(): Promise<readonly string[]>;
}

/**
 * Creates a storage in IndexedDB. It has space for attachments; `localStorage` is limited to 5 MB.
 *
 * Opens the database for each operation: a browser may close it at any time, and an open database delays an upgrade
 * in another tab. A chat needs few operations, each of a few milliseconds.
 *
 * @param name name of the database.
 * @returns `undefined` if IndexedDB is unavailable: in Node, or if the browser forbids it.
 */
export function indexedDbStorage(name: string): DatabaseStorage | undefined {
  if (typeof indexedDB === 'undefined') return undefined;
  const TABLE = 'items';

  function open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error as Error);
    });
  }

  /**
   * Runs one request in its own transaction. Resolves when the transaction is committed.
   * @param then called in the same transaction with the result of the request.
   */
  async function run<T>(
    mode: IDBTransactionMode,
    ask: (table: IDBObjectStore) => IDBRequest<T>,
    then?: (result: T, table: IDBObjectStore) => void,
  ): Promise<T> {
    const database = await open();
    try {
      return await new Promise<T>((resolve, reject) => {
        const transaction = database.transaction(TABLE, mode);
        const table = transaction.objectStore(TABLE);
        const request = ask(table);
        if (then) request.onsuccess = () => then(request.result, table);
        transaction.oncomplete = () => resolve(request.result);
        // A full disk fails the commit after the request has succeeded.
        transaction.onabort = () => reject(transaction.error ?? new DOMException('Aborted', 'AbortError'));
      });
    } finally {
      database.close();
    }
  }

  return {
    getItem: async (key) =>
      ((await run('readonly', (table) => table.get(key))) as string | undefined) ?? null,
    setItem: async (key, value) => void (await run('readwrite', (table) => table.put(value, key))),
    removeItem: (key) => run('readwrite', (table) => table.delete(key)),
    async removeIf(key, condition) {
      await run(
        'readwrite',
        (table) => table.get(key) as IDBRequest<string | undefined>,
        (text, table) => {
          if (text !== undefined && condition(text)) table.delete(key);
        },
      );
    },
    keys: async () => (await run('readonly', (table) => table.getAllKeys())).map(String),
  };
}
