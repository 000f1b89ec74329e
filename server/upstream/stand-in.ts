import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createUpstreamClient, type UpstreamClientOptions, type UpstreamRequest } from './client.ts';

/** A real server on a free port that acts as a provider in tests and tracks its connections. */
export interface StandIn {
  readonly url: URL;
  /** Number of connections since the start. */
  readonly accepted: () => number;
  /** Resolves with the first connection. */
  readonly connected: () => Promise<void>;
  /** Resolves once no connection is open. */
  readonly idle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts a server that responds with a handler. */
export const standIn = (handler: RequestListener): Promise<StandIn> => listen(createServer(handler));

/** Starts a server that calls `answer` with each connection after its first bytes. The response need not be HTTP. */
export const rawStandIn = (answer: (socket: Socket) => void): Promise<StandIn> =>
  listen(createTcpServer((socket) => socket.once('data', () => answer(socket))));

async function listen(server: Server): Promise<StandIn> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const waiting = new Set<() => void>();
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket
      .on('error', () => undefined)
      .on('close', () => {
        sockets.delete(socket);
        if (sockets.size > 0) return;
        for (const resolve of waiting) resolve();
        waiting.clear();
      });
  });
  const connected = new Promise<void>((resolve) => server.once('connection', () => resolve()));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    accepted: () => accepted,
    connected: () => connected,
    idle: () => (sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Creates a client with defaults for a stand-in. */
export const testClient = (options: Partial<UpstreamClientOptions> = {}) =>
  createUpstreamClient({
    allowPrivateNetworks: false,
    headersTimeoutMs: 20_000,
    inactivityTimeoutMs: 20_000,
    ...options,
  });

/** Returns a request to a stand-in whose host a pattern names literally. */
export const requestTo = (url: URL, options: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  url,
  literalHost: true,
  method: 'GET',
  headers: [],
  body: undefined,
  signal: new AbortController().signal,
  ...options,
});
