import type { StreamStore } from '../../server/store/types.ts';

/** The stores of one test, each of another process. */
export class OpenStores {
  readonly #stores = new Set<StreamStore>();

  /** Adds a store, and returns it. */
  add(store: StreamStore): StreamStore {
    this.#stores.add(store);
    return store;
  }

  /** Disposes of all stores, also of those that were disposed of before. */
  readonly disposeAll = async (): Promise<void> => {
    for (const store of this.#stores) await store.dispose();
    this.#stores.clear();
  };
}
