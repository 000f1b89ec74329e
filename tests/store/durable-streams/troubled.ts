import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import {
  durableStreamsStore,
  type DurableStreamsStoreOptions,
} from '../../../server/store/durable-streams/index.ts';
import type { StreamStore } from '../../../server/store/types.ts';
import {
  startReferenceServer,
  type ReferenceServer,
  type ReferenceServerOptions,
} from './reference-server.ts';
import { Relay, type Seen } from './relay.ts';

export interface Troubled {
  readonly server: ReferenceServer;
  readonly relay: Relay;
  /** A store that reaches the backend through the relay. Each call represents another process. */
  open(options?: Partial<DurableStreamsStoreOptions>): Promise<StreamStore>;
  /** A store without the relay. */
  openDirect(options?: Partial<DurableStreamsStoreOptions>): Promise<StreamStore>;
}

/** One backend for all tests of a file, and a new relay for each. Disposes of all stores. */
export function useTroubled(options: ReferenceServerOptions = { mode: 'memory' }): Troubled {
  let server: ReferenceServer;
  let relay: Relay;
  let stores: StreamStore[];
  beforeAll(async () => {
    server = await startReferenceServer(options);
  });
  beforeEach(async () => {
    stores = [];
    relay = await Relay.start(() => server.url);
  });
  afterEach(async () => {
    relay.trouble = () => undefined;
    await Promise.all(stores.map((store) => store.dispose()));
    await relay.stop();
  });
  afterAll(async () => {
    await server.stop();
  });
  const openAt = async (url: string, given: Partial<DurableStreamsStoreOptions> = {}) => {
    const store = durableStreamsStore({
      url,
      requestTimeoutMs: 2_000,
      retryTimeoutMs: 10_000,
      silenceMs: 300,
      outcomeGraceMs: 400,
      ...given,
    });
    stores.push(store);
    await store.open();
    return store;
  };
  return {
    get server() {
      return server;
    },
    get relay() {
      return relay;
    },
    open: (given) => openAt(`${relay.url}/base`, given),
    openDirect: (given) => openAt(`${server.url}/base`, given),
  };
}

/** Requests by purpose. */
export const requests = {
  beginMeta: ({ method, url }: Seen) => method === 'PUT' && url.endsWith('.meta'),
  beginData: ({ method, url }: Seen) => method === 'PUT' && !url.endsWith('.meta'),
  append: ({ method, headers }: Seen) =>
    method === 'POST' && 'producer-id' in headers && headers['stream-closed'] === undefined,
  close: ({ method, headers }: Seen) => method === 'POST' && headers['stream-closed'] === 'true',
  end: ({ method, url }: Seen) => method === 'POST' && url.endsWith('.meta'),
  readMeta: ({ method, url }: Seen) => method === 'GET' && url.includes('.meta?'),
  catchUp: ({ method, url }: Seen) => method === 'GET' && !url.includes('.meta?') && !url.includes('live='),
  live: ({ method, url }: Seen) => method === 'GET' && url.includes('live='),
  head: ({ method, url }: Seen) => method === 'HEAD' && !url.includes('probe'),
  deleteData: ({ method, url }: Seen) => method === 'DELETE' && !url.endsWith('.meta'),
  deleteMeta: ({ method, url }: Seen) => method === 'DELETE' && url.endsWith('.meta'),
};
