import type { MaybePromise, StorageLike } from './types.ts';

/** Keeps items in memory, until the process exits or the page closes. */
export class MemoryStorage implements StorageLike {
  readonly #items = new Map<string, string>();

  /** Returns the keys of all items, so that the client can remove expired ones. */
  keys(): Iterable<string> {
    return this.#items.keys();
  }

  /**
   * Returns the value of a key, or null.
   * @param key name of the item.
   */
  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  /**
   * Stores a value.
   * @param key name of the item.
   * @param value text to store. Replaces the former one.
   */
  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

  /**
   * Removes a key.
   * @param key name of the item. Has no effect if there is no such item.
   */
  removeItem(key: string): void {
    this.#items.delete(key);
  }
}

/**
 * Lists the keys of a storage: a `Storage`, one with `keys()`, or one with `getAllKeys()` as React Native's AsyncStorage.
 * @returns undefined if the storage does not list them.
 */
export async function keysOf(storage: StorageLike): Promise<string[] | undefined> {
  const lists = storage as unknown as Record<
    'keys' | 'getAllKeys',
    (() => MaybePromise<Iterable<unknown>>) | undefined
  >;
  // An item of a `Storage` is a property too, and may be named `keys`.
  const keys = [lists.keys, lists.getAllKeys].find((list) => typeof list === 'function');
  // The keys of a `Storage` are its properties.
  const names = keys ? await keys.call(storage) : 'length' in storage ? Object.keys(storage) : undefined;
  return names && Array.from(names, String);
}

/** Returns `localStorage`, or undefined in Node, in workers, and if the browser blocks it. */
export function pageStorage(): Storage | undefined {
  try {
    return typeof window === 'undefined' ? undefined : window.localStorage;
  } catch {
    return undefined;
  }
}

/** Returns `localStorage` in pages, else a new `MemoryStorage`. */
export function defaultStorage(): StorageLike {
  return pageStorage() ?? new MemoryStorage();
}
