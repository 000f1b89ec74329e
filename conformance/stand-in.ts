import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request that an upstream has received, with its body. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  /** Headers with their spelling, in order. */
  readonly rawHeaders: readonly [string, string][];
  readonly body: Buffer;
}

/** One request to an upstream, and its response. */
export interface UpstreamExchange {
  readonly request: ReceivedRequest;
  readonly res: ServerResponse;
  /** Resolves when the proxy closes the connection before the response has ended. */
  readonly abandoned: Promise<void>;
}

/** Implements an upstream: called for each request after its body was received. */
export type Script = (exchange: UpstreamExchange) => void | Promise<void>;

/** One path of the test server. */
export interface Upstream {
  readonly url: string;
  /** Requests so far. */
  readonly received: readonly ReceivedRequest[];
  /** Resolves with the request of this index (from 0) when it has arrived. */
  request(index?: number): Promise<ReceivedRequest>;
}

/**
 * The AI provider of the tests: an HTTP server whose paths run scripts. It uses no timers: scripts wait until a test
 * continues them.
 */
export class StandIn {
  readonly #servers: Server[];
  readonly #scripts = new Map<string, (exchange: UpstreamExchange) => void>();
  readonly #sockets = new Set<Socket>();
  readonly #origin: string;
  #count = 0;

  private constructor(servers: Server[], origin: string) {
    this.#servers = servers;
    this.#origin = origin;
    for (const server of servers) {
      server.on('request', (req, res) => void this.#response(req, res));
      server.on('connection', (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      });
    }
  }

  /**
   * Listens on the address that the server under test reaches by `host`: on loopback for a local name, otherwise on all
   * interfaces.
   */
  static async listen(host: string): Promise<StandIn> {
    const addresses =
      host === 'localhost' ? ['127.0.0.1', '::1'] : /^127\.|^::1$/.test(host) ? [host] : [undefined];
    const first = await listenOn(addresses[0], 0);
    const { port } = first.address() as AddressInfo;
    // "localhost" has two addresses, and clients may try only one. A machine may also have only one.
    const second =
      addresses[1] === undefined ? undefined : await listenOn(addresses[1], port).catch(() => undefined);
    const name = host.includes(':') ? `[${host}]` : host;
    return new StandIn(second ? [first, second] : [first], `http://${name}:${port}`);
  }

  /** Adds a script under a unique path that ends in `suffix`. */
  add(script: Script, suffix = ''): Upstream & { remove(): void } {
    const path = `/upstream-${(this.#count += 1)}`;
    const received: ReceivedRequest[] = [];
    const waiting: (() => void)[] = [];
    this.#scripts.set(path, (exchange) => {
      received.push(exchange.request);
      for (const wake of waiting.splice(0)) wake();
      void Promise.resolve(script(exchange)).catch(() => exchange.res.destroy());
    });
    return {
      url: `${this.#origin}${path}${suffix}`,
      received,
      request: async (index = 0) => {
        while (!received[index]) await new Promise<void>((resolve) => waiting.push(resolve));
        return received[index];
      },
      remove: () => void this.#scripts.delete(path),
    };
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => once(server.close(), 'close')));
  }

  async #response(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const abandoned = new Promise<void>((resolve) => {
      res.once('close', () => {
        if (!res.writableFinished) resolve();
      });
    });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of req) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const target = req.url ?? '/';
    const script = this.#scripts.get(/^\/[^/?]*/.exec(target)?.[0] ?? '');
    if (!script) {
      res.writeHead(404).end();
      return;
    }
    const rawHeaders: [string, string][] = [];
    for (let i = 0; i < req.rawHeaders.length; i += 2) {
      rawHeaders.push([req.rawHeaders[i] ?? '', req.rawHeaders[i + 1] ?? '']);
    }
    const { method = '', headers } = req;
    script({
      request: { method, target, headers, rawHeaders, body: Buffer.concat(chunks) },
      res,
      abandoned,
    });
  }
}

async function listenOn(address: string | undefined, port: number): Promise<Server> {
  const server = createServer({ keepAliveTimeout: 60_000 });
  server.listen({ port, ...(address !== undefined && { host: address }) });
  await once(server, 'listening');
  return server;
}
