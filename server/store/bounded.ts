import { StoreError, type StreamStore } from './types.ts';

/** Milliseconds that a create waits for one operation of the store. */
export const CREATE_STORE_MS = 5_000;

/** The operations that a create uses. */
export type CreateStore = Pick<StreamStore, 'create' | 'append' | 'head' | 'read' | 'follow'>;

/**
 * Returns a promise that rejects if another one has not settled in time. The operation behind it goes on.
 * @param ms milliseconds.
 * @throws StoreError `UNAVAILABLE` when the time is over.
 */
export async function inTime<T>(operation: Promise<T>, ms: number, what = 'The store'): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StoreError('UNAVAILABLE', `${what} did not answer within ${ms / 1_000} s`)),
      ms,
    );
  });
  try {
    return await Promise.race([operation, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Bounds each operation of a store that a caller of a create waits for. */
export function boundStore(store: StreamStore, ms = CREATE_STORE_MS): CreateStore {
  return {
    create: (id, init) => inTime(store.create(id, init), ms),
    append: (id, bytes) => inTime(store.append(id, bytes), ms),
    head: (id) => inTime(store.head(id), ms),
    read: (id, offset, maxBytes) => inTime(store.read(id, offset, maxBytes), ms),
    follow: (...args) => {
      const opening = store.follow(...args);
      return inTime(opening, ms).catch((error: unknown) => {
        // A follower that opens late has no reader.
        opening.then((follower) => follower.stop()).catch(() => undefined);
        throw error;
      });
    },
  };
}
