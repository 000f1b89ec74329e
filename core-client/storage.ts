import type { StorageLike } from './types.ts';

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
