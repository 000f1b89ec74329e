import { keysOf } from '../storage.ts';
import type { StorageLike } from '../types.ts';
import { contentsFor, type Contents } from './page-contents.ts';
import { removeIf, type ConditionalStorage } from './remove-if.ts';
import { LIFETIME_MS, TurnStore } from './turn-store.ts';

/** How often to look for old turns, in milliseconds. */
const SWEEP_MS = 3_600_000;

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
  readonly #options: ScopedTurnsOptions;
  readonly #contents: Contents;
  readonly #stores = new Map<string, TurnStore>();
  #sweptAt = 0;

  constructor(options: ScopedTurnsOptions) {
    this.#options = options;
    this.#contents = contentsFor(options.storage);
  }

  /** Returns the store of a caller. @param key hash of the caller's scope. */
  of(key: string): TurnStore {
    if (Date.now() - this.#sweptAt > SWEEP_MS) {
      this.#sweptAt = Date.now();
      void this.#sweep();
    }
    const { storage, storagePrefix, kind, warn } = this.#options;
    const held = this.#stores.get(key);
    const prefix = `${storagePrefix}:${key}:${kind}`;
    const store = held ?? new TurnStore({ storage, contents: this.#contents, prefix, warn });
    this.#stores.set(key, store);
    return store;
  }

  /** Removes all stored data of a caller, and closes the caller's `TurnStore`, so that it writes nothing more. */
  async forget(key: string): Promise<void> {
    const store = this.of(key);
    this.#stores.delete(key);
    await store.close();
    const prefix = `${this.#options.storagePrefix}:${key}:`;
    await this.#each((storage, name) => (name.startsWith(prefix) ? storage.removeItem(name) : undefined));
  }

  /**
   * Removes the expired turns of all callers, and the turns of version 0.1, which do not name their caller.
   */
  #sweep(): Promise<void> {
    return this.#each((storage, name) => {
      const kind = kindOf(name, this.#options.storagePrefix);
      if (kind === 'v0.1') return storage.removeItem(name);
      return kind === 'turn' || kind === 'run' ? removeIf(storage, name, isOld) : undefined;
    });
  }

  async #each(run: (storage: ConditionalStorage, name: string) => unknown): Promise<void> {
    const { fallback } = this.#contents;
    const storages = new Set([this.#options.storage, ...(fallback ? [fallback] : []), this.#contents]);
    for (const storage of storages) {
      try {
        for (const name of (await keysOf(storage)) ?? []) await run(storage, name);
      } catch (cause) {
        this.#options.warn(new Error('The storage could not remove the turns of chats.', { cause }));
      }
    }
  }
}

/**
 * Returns the kind of a storage key in any scope: `answer`, `turn` or `run`.
 * @returns `v0.1` for a key of version 0.1, which had no scopes; `undefined` for a key of another library.
 */
function kindOf(name: string, storagePrefix: string): string | undefined {
  if (!name.startsWith(`${storagePrefix}:`)) return undefined;
  const [first = '', second] = name.slice(storagePrefix.length + 1).split(':');
  return /^(answer|turn|run)$/.test(first) ? 'v0.1' : second;
}

function isOld(text: string): boolean {
  try {
    const { at } = JSON.parse(text) as { readonly at?: unknown };
    return !(Number(at) > Date.now() - LIFETIME_MS);
  } catch {
    return true;
  }
}
