import { once } from 'node:events';
import { createServer, request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A response that passes through the front. Changes to it are what the client receives. */
export interface Passing {
  readonly method: string;
  /** Path and query of the request. */
  readonly target: string;
  status: number;
  readonly headers: IncomingHttpHeaders;
}

export interface Front {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a server that forwards the responses of another one after `spoil` has changed them: a server with one fault.
 */
export async function startFront(
  origin: string,
  spoil: { request?: (headers: IncomingHttpHeaders) => void; answer?: (passing: Passing) => void },
): Promise<Front> {
  const server = createServer((req, res) => {
    const headers = { ...req.headers };
    spoil.request?.(headers);
    const { method = 'GET', url: target = '/' } = req;
    const outgoing = request(origin + target, { method, headers }, (incoming) => {
      const passing = {
        method,
        target,
        status: incoming.statusCode ?? 500,
        headers: { ...incoming.headers },
      };
      spoil.answer?.(passing);
      res.writeHead(passing.status, passing.headers);
      res.flushHeaders();
      incoming.on('error', () => res.destroy()).pipe(res);
    });
    outgoing.on('error', () => res.destroy());
    res.on('close', () => outgoing.destroy());
    req.pipe(outgoing);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
