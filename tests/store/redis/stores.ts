import { afterEach } from 'vitest';
import { redisStore, type RedisStoreOptions } from '../../../server/store/redis/index.ts';
import type { StreamStore } from '../../../server/store/types.ts';
import { noise, pause, type Tail } from '../../../server/testing/byte-store/support.ts';

export type OpenStore = (options: RedisStoreOptions) => Promise<StreamStore>;

/** Opens stores that are disposed after the test. */
export function openStores(): OpenStore {
  const undo: Undo[] = [];
  afterEach(() => undoAll(undo));
  return opener((one) => undo.push(one));
}

type Undo = () => Promise<unknown>;

/** Resources of a test that runs concurrently with others. They are released with the test. */
export interface Scope {
  readonly open: OpenStore;
  own<T extends { stop(): Promise<unknown> }>(server: Promise<T>): Promise<T>;
  defer(undo: Undo): void;
}

/** Runs a test with a scope of its own, which is cleaned up from the last resource to the first. */
export function scoped(body: (scope: Scope) => Promise<void>): () => Promise<void> {
  return async () => {
    const undo: Undo[] = [];
    const defer = (one: Undo) => void undo.push(one);
    const own: Scope['own'] = async (starting) => {
      const server = await starting;
      defer(() => server.stop());
      return server;
    };
    try {
      await body({ open: opener(defer), own, defer });
    } finally {
      await undoAll(undo);
    }
  };
}

function opener(defer: (undo: Undo) => void): OpenStore {
  return async (options) => {
    const store = redisStore(options);
    defer(() => store.dispose());
    await store.open();
    return store;
  };
}

async function undoAll(undo: Undo[]): Promise<void> {
  for (const one of undo.splice(0).reverse()) await one();
}

/** Returns the position of a follower; the store's offsets are positions. */
export function positionOf(tail: Tail): number {
  return Number(tail.frames.at(-1)?.next ?? 0);
}

/** Appends one piece after the other, as tokens arrive, until it is stopped. @returns all acknowledged bytes. */
export function writeOn(store: StreamStore, id: string): { stop(): Promise<Buffer> } {
  const acknowledged: Buffer[] = [];
  let stopped = false;
  const writing = (async () => {
    for (let i = 1; !stopped; i += 1) {
      const piece = noise(1 + (i % 300), i);
      await store.append(id, piece);
      acknowledged.push(piece);
      await pause(1);
    }
  })();
  // The caller that stops it receives the failure.
  writing.catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      await writing;
      return Buffer.concat(acknowledged);
    },
  };
}
