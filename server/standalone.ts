import { STATUS_CODES, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import express, { type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import type { ErrorBody, ErrorCode } from '../protocol/errors.ts';
import { ProxyError } from './errors.ts';
import { createHttpServer } from './http/http-server.ts';
import { renderError, toProxyError } from './http/render-error.ts';
import { ignoreErrors } from './http/response.ts';
import { durableProxy } from './middleware.ts';
import type { ProxyServerOptions } from './options.ts';
import { resolveServerOptions } from './options/resolve.ts';
import type { CloseOptions } from './proxy.ts';

/** Where the standalone server mounts the proxy. */
export const MOUNT_PATH = '/v1/proxy';

export interface ProxyServer {
  /** The server's origin, such as `http://localhost:4440`; the proxy is at `/v1/proxy` below it. */
  readonly url: string;
  /** Drains as `durableProxy`'s `close` does, and stops listening. Idempotent. */
  stop(options?: CloseOptions): Promise<void>;
}

/**
 * The proxy on a port of its own, with `GET /health`. Resolves when it listens and its store is open.
 * @throws ConfigurationError, what `listen` fails with (a port in use), what the store fails with.
 */
export async function createProxyServer(options: ProxyServerOptions): Promise<ProxyServer> {
  const { port, host, proxyOptions, ...serverOptions } = resolveServerOptions(options);
  const proxy = durableProxy(proxyOptions);
  const app = express();
  app.disable('x-powered-by');
  // The proxy says for itself who may embed what it serves.
  app.use(helmet({ crossOriginResourcePolicy: false }));
  app.use((_req, res, next) => {
    ignoreErrors(res);
    next();
  });
  app.get('/health', (_req, res) => {
    res.json({ status: 'ok' });
  });
  app.use(MOUNT_PATH, proxy);
  app.use((req, res) => renderError(req, res, new ProxyError('NOT_FOUND', `The proxy is at ${MOUNT_PATH}`)));
  app.use((error: unknown, req: Request, res: Response, next: NextFunction) => {
    void next;
    // Express refuses targets that it cannot decode with a 400 of its own.
    const bad = (error as { status?: unknown } | null)?.status === 400;
    renderError(
      req,
      res,
      bad ? new ProxyError('INVALID_REQUEST', 'The request target is malformed') : toProxyError(error),
    );
  });
  const server = createHttpServer(app, serverOptions);
  server.on('clientError', answerMalformed);
  try {
    await proxy.ready;
    await listen(server, port, host);
  } catch (error) {
    await proxy.close({ drainMs: 0 });
    throw error;
  }
  let stopping: Promise<void> | undefined;
  const stop = async (closeOptions?: CloseOptions): Promise<void> => {
    await proxy.close(closeOptions);
    const closed = new Promise((resolve) => server.close(resolve));
    // Closing streams ended their readers; what is left are idle connections and half-sent requests.
    server.closeAllConnections();
    await closed;
  };
  return { url: originOf(server, host), stop: (closeOptions) => (stopping ??= stop(closeOptions)) };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function originOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const PARSE_ERRORS: Readonly<Record<string, { status: number; message: string }>> = {
  HPE_HEADER_OVERFLOW: { status: 431, message: "The request's headers are too large" },
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, message: 'The request took too long to arrive' },
};

/** What is no HTTP gets a 400 and loses its connection (RFC 9112, section 2.2); the process goes on. */
function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const { status, message } = PARSE_ERRORS[error.code ?? ''] ?? {
    status: 400,
    message: 'This is not a valid HTTP request',
  };
  const code: ErrorCode = 'INVALID_REQUEST';
  const body = JSON.stringify({ error: { code, message } } satisfies ErrorBody);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
