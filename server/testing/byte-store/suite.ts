import type { StreamStore } from '../../store/types.ts';
import type { TestApi, TestFunction } from '../test-api.ts';
import type { StoreFactory, StoreOptions, StoreUnderTest } from './support.ts';

export interface Section {
  /** The currently open store. */
  readonly store: StreamStore;
  readonly options: StoreOptions;
  reopen(): Promise<StreamStore>;
}

/** Functions that the parts of the suite share. */
export interface Suite extends Pick<TestApi, 'it'> {
  /** Adds a test that runs concurrently with the others of its group, if the runner supports it. */
  readonly together: TestFunction;
  /** Adds a group of tests that share one store; each test uses ids of its own. */
  readonly section: (title: string, tests: (section: Section) => void) => void;
}

export function suiteOf({ describe, it, beforeAll, afterAll }: TestApi, factory: StoreFactory): Suite {
  const section: Suite['section'] = (title, tests) =>
    void describe(title, () => {
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
  return { it, together: it.concurrent ?? it, section };
}
