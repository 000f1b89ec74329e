import { removeAll } from '../stored.ts';
import type { StorageLike } from '../types.ts';
import { contentsFor, type Contents } from './page-contents.ts';
import { TurnStore } from './turn-store.ts';

export interface ScopedTurnsOptions {
  /** Stores what must survive an immediate close of the page, a few hundred bytes for each chat. */
  readonly storage: StorageLike;
  readonly storagePrefix: string;
  /** Distinguishes turns of one kind and proxy: `turn:<proxyUrl>` or `run:<proxyUrl>`. */
  readonly kind: string;
  readonly warn: (warning: Error) => void;
}

/** The stored turns of all callers. Each caller has a `TurnStore`, which sees no other caller's turns. */
export class ScopedTurns {
  /** The storages of messages, besides `storage`. The client removes expired items there. */
  readonly storages: readonly StorageLike[];
  readonly #options: ScopedTurnsOptions;
  readonly #contents: Contents;
  readonly #stores = new Map<string, TurnStore>();

  constructor(options: ScopedTurnsOptions) {
    this.#options = options;
    this.#contents = contentsFor(options.storage);
    const { fallback } = this.#contents;
    const all = [this.#contents, ...(fallback ? [fallback] : [])];
    this.storages = all.filter((each) => each !== options.storage);
  }

  /** Returns the store of a caller. @param key hash of the caller's scope. */
  of(key: string): TurnStore {
    const { storage, storagePrefix, kind, warn } = this.#options;
    const held = this.#stores.get(key);
    const prefix = `${storagePrefix}:${key}:${kind}`;
    const store = held ?? new TurnStore({ storage, contents: this.#contents, prefix, warn });
    this.#stores.set(key, store);
    return store;
  }

  /** Removes all messages of a caller, and closes the caller's `TurnStore`, so that it writes nothing more. */
  async forget(key: string): Promise<void> {
    const { storagePrefix, warn } = this.#options;
    const store = this.#stores.get(key);
    this.#stores.delete(key);
    await store?.close();
    for (const storage of this.storages) await removeAll(storage, `${storagePrefix}:${key}:`).catch(warn);
  }
}
