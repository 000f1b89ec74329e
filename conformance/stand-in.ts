import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as an upstream got it, body and all. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  /** Each header as it was written, in its order. */
  readonly rawHeaders: readonly [string, string][];
  readonly body: Buffer;
}

/** One request to an upstream, and the way to answer it. */
export interface UpstreamExchange {
  readonly request: ReceivedRequest;
  readonly res: ServerResponse;
  /** Resolves when the proxy's connection closes before the answer was ended. */
  readonly abandoned: Promise<void>;
}

/** Plays an upstream: called for each request, with its body received. */
export type Script = (exchange: UpstreamExchange) => void | Promise<void>;

/** One path of the stand-in. */
export interface Upstream {
  readonly url: string;
  /** Requests so far. */
  readonly received: readonly ReceivedRequest[];
  /** Resolves with the request of this number (from 0), when it is there. */
  request(index?: number): Promise<ReceivedRequest>;
}

/**
 * The AI provider of the tests: a real HTTP server whose paths are scripts. Nothing in it waits for a time;
 * what has to wait, waits for a test to go on.
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
      server.on('request', (req, res) => void this.#answer(req, res));
      server.on('connection', (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      });
    }
  }

  /** Listens where `host` leads to from the server under test: on loopback for a local name, else everywhere. */
  static async listen(host: string): Promise<StandIn> {
    const addresses =
      host === 'localhost' ? ['127.0.0.1', '::1'] : /^127\.|^::1$/.test(host) ? [host] : [undefined];
    const first = await listenOn(addresses[0], 0);
    const { port } = first.address() as AddressInfo;
    // "localhost" is two addresses, of which a client may try only one; a machine may have only one, too.
    const second =
      addresses[1] === undefined ? undefined : await listenOn(addresses[1], port).catch(() => undefined);
    const name = host.includes(':') ? `[${host}]` : host;
    return new StandIn(second ? [first, second] : [first], `http://${name}:${port}`);
  }

  /** Gives a script a path of its own, with `suffix` behind it. */
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

  async #answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
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
