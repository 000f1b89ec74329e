import { afterAll, beforeAll, describe } from 'vitest';
import type { StreamStore } from '../../../server/store/types.ts';
import type { StoreFactory, StoreOptions, StoreUnderTest } from './support.ts';

export interface Section {
  /** The store that is open now. */
  readonly store: StreamStore;
  readonly options: StoreOptions;
  reopen(): Promise<StreamStore>;
}

/** A group of tests that share one store; each test takes ids of its own. */
export function section(title: string, factory: StoreFactory, tests: (section: Section) => void): void {
  describe(title, () => {
    let under: StoreUnderTest | undefined;
    let store: StreamStore | undefined;
    beforeAll(async () => {
      under = await factory();
      store = under.store;
    });
    afterAll(async () => {
      await under?.dispose();
    });
    tests({
      get store() {
        return store!;
      },
      get options() {
        return under?.options ?? {};
      },
      async reopen() {
        store = await under!.reopen();
        return store;
      },
    });
  });
}
