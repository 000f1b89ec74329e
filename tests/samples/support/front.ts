import { once } from 'node:events';
import { createServer, request as sendRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The address that the browser opens: it serves the page and forwards the rest, as Vite or nginx do. */
export interface Front {
  readonly origin: string;
  /** Requests to the proxy so far, as `POST` or `PATCH`. */
  readonly methods: readonly string[];
  /** Where requests are forwarded to, by the beginning of their path. */
  readonly targets: Readonly<Record<string, string>>;
  /** Sets where requests are forwarded to, by the beginning of their path. */
  route(targets: Readonly<Record<string, string>>): void;
  /** Sets the HTML and script of `/`, and the script of a service worker. */
  page(html: string, script: string, worker?: string): void;
  /** Resets the connections of the requests to the proxy that are being answered. */
  cut(): void;
  /** Removes the recorded requests. */
  reset(): void;
  close(): Promise<void>;
}

export async function startFront(): Promise<Front> {
  const methods: string[] = [];
  const open = new Set<ServerResponse>();
  let targets: Readonly<Record<string, string>> = {};
  let files: Readonly<Record<string, readonly [type: string, text: string]>> = {};
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const file = files[path.split('?')[0]!];
    if (request.method === 'GET' && file !== undefined) {
      response.writeHead(200, { 'content-type': file[0] }).end(file[1]);
      return;
    }
    const target = Object.entries(targets).find(([prefix]) => path.startsWith(prefix))?.[1];
    if (target === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (path.startsWith('/v1/proxy')) {
      methods.push(request.method!);
      open.add(response);
      response.once('close', () => open.delete(response));
    }
    forward(target, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    methods,
    get targets() {
      return targets;
    },
    route: (next) => void (targets = next),
    page(html, script, worker = '') {
      files = {
        '/': ['text/html; charset=utf-8', html],
        '/page.js': ['text/javascript; charset=utf-8', script],
        '/worker.js': ['text/javascript; charset=utf-8', worker],
        '/favicon.ico': ['image/x-icon', ''],
      };
    },
    cut() {
      for (const response of open) response.socket?.resetAndDestroy();
    },
    reset: () => void (methods.length = 0),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function forward(target: string, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers } = request;
  const onward = sendRequest(target + request.url!, { method: method!, headers }, (answer) => {
    response.writeHead(answer.statusCode!, answer.headers);
    answer.on('error', () => response.destroy());
    answer.on('aborted', () => response.destroy());
    answer.pipe(response);
  });
  onward.on('error', () => {
    if (response.headersSent) response.destroy();
    else response.writeHead(502).end();
  });
  response.on('close', () => onward.destroy());
  request.pipe(onward);
}
