import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GatewayOptions {
  /** Milliseconds after which a POST without response headers gets a 504. Default: never. */
  readonly headersTimeoutMs?: number;
  /** Milliseconds without a byte after which a connection is cut. Default: never. */
  readonly idleTimeoutMs?: number;
  /** Replaces responses with status 502 by a page. Default false. */
  readonly replaces502?: boolean;
}

export interface Gateway {
  readonly url: string;
  /** Responses that the gateway made itself, and connections that it cut. */
  readonly faults: number;
  close(): Promise<void>;
}

/** A reverse proxy with the limits of load balancers and CDNs. */
export async function startGateway(targetUrl: string, options: GatewayOptions): Promise<Gateway> {
  const target = new URL(targetUrl);
  let faults = 0;
  const page = (res: ServerResponse, status: number): void => {
    faults += 1;
    res.writeHead(status, { 'content-type': 'text/html' }).end('<html><body>Bad gateway</body></html>');
  };
  const server = createServer((req, res) => {
    const { method, url, headers } = req;
    const { hostname, port } = target;
    const forwarded = request({ hostname, port, method, path: url, headers, agent: false });
    const timer =
      method === 'POST' && options.headersTimeoutMs !== undefined
        ? setTimeout(() => {
            page(res, 504);
            forwarded.destroy();
          }, options.headersTimeoutMs)
        : undefined;
    res.once('close', () => forwarded.destroy());
    forwarded.on('error', () => {
      clearTimeout(timer);
      if (!res.headersSent) page(res, 502);
    });
    forwarded.on('response', (answer) => {
      clearTimeout(timer);
      const { statusCode = 500 } = answer;
      if (options.replaces502 && statusCode === 502) {
        answer.resume();
        return page(res, 502);
      }
      res.writeHead(statusCode, answer.headers);
      res.flushHeaders();
      let idle: NodeJS.Timeout | undefined;
      const arm = (): void => {
        clearTimeout(idle);
        if (options.idleTimeoutMs === undefined) return;
        idle = setTimeout(() => {
          faults += 1;
          res.destroy();
        }, options.idleTimeoutMs);
      };
      arm();
      answer.on('data', arm);
      answer.on('close', () => clearTimeout(idle));
      answer.on('error', () => res.destroy());
      answer.pipe(res);
    });
    req.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get faults() {
      return faults;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
