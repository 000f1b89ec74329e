import type { MaybePromise, StorageLike } from './types.ts';

/** A storage that lives as long as the process or page. */
export class MemoryStorage implements StorageLike {
  readonly #items = new Map<string, string>();

  /** What it holds, for the sweeping of what is past its time. */
  keys(): Iterable<string> {
    return this.#items.keys();
  }

  getItem(key: string): string | null {
    return this.#items.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.#items.set(key, value);
  }

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
  const keys = lists.keys ?? lists.getAllKeys;
  // The keys of a `Storage` are its properties.
  const names = keys ? await keys.call(storage) : 'length' in storage ? Object.keys(storage) : undefined;
  return names && Array.from(names, String);
}

/** `localStorage`, or undefined where there is none: in Node, in workers, and where the browser forbids it. */
export function pageStorage(): Storage | undefined {
  try {
    return typeof window === 'undefined' ? undefined : window.localStorage;
  } catch {
    return undefined;
  }
}

/** `localStorage` in pages, else memory. */
export function defaultStorage(): StorageLike {
  return pageStorage() ?? new MemoryStorage();
}
