import { MemoryStorage } from '../../../core-client/storage.ts';
import { withResolvers } from '../../support/with-resolvers.ts';

type Method = 'getItem' | 'setItem' | 'removeItem';

/**
 * Creates an asynchronous storage.
 * @param before called before each operation, which waits for the promise it returns.
 */
export function delayedStorage(
  before: (method: Method, key: string) => Promise<unknown>,
  storage = new MemoryStorage(),
) {
  const run = async <T>(method: Method, key: string, operation: () => T): Promise<T> => {
    await before(method, key);
    return operation();
  };
  return {
    getItem: (key: string) => run('getItem', key, () => storage.getItem(key)),
    setItem: (key: string, value: string) => run('setItem', key, () => storage.setItem(key, value)),
    removeItem: (key: string) => run('removeItem', key, () => storage.removeItem(key)),
    keys: () => storage.keys(),
  };
}

/**
 * Creates a storage that holds the operations of one kind until `release` is called.
 * @param isHeld true for the keys that are held.
 */
export function heldStorage(held: Method, isHeld: (key: string) => boolean = () => true) {
  const released = withResolvers();
  const waiting = withResolvers();
  const storage = delayedStorage(async (method, key) => {
    if (method !== held || !isHeld(key)) return;
    waiting.resolve();
    await released.promise;
  });
  return {
    storage,
    /** Resolves when the first operation is held. */
    waiting: waiting.promise,
    release: released.resolve,
  };
}
