import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { ProxyError } from '../shared/errors.ts';
import type { Middleware } from './cors.ts';
import { HEADERS_TOO_LARGE, malformedResponder } from './malformed.ts';

/** Node's default, in milliseconds. */
const NODE_HEADERS_TIMEOUT_MS = 60_000;

/** Milliseconds by which `headersTimeout` exceeds `keepAliveTimeout`. */
const HEADERS_MARGIN_MS = 1_000;

/**
 * Returns the timeouts of an HTTP server whose idle connections a load balancer reuses.
 *
 * A balancer must close an idle connection before the server does; otherwise it sends a request over a connection
 * that the server is closing, and responds 502. Node also counts `headersTimeout` from the moment a connection opens,
 * so it has to be longer for connections that a balancer opens ahead of time. It cannot exceed `requestTimeout`,
 * which is long enough for the proxy to reject a slow body itself.
 */
export function serverTimeouts({
  keepAliveTimeoutMs,
  requestBodyTimeoutMs,
}: Pick<HttpServerOptions, 'keepAliveTimeoutMs' | 'requestBodyTimeoutMs'>): {
  readonly keepAliveTimeout: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
} {
  const headersTimeout = Math.max(NODE_HEADERS_TIMEOUT_MS, keepAliveTimeoutMs + HEADERS_MARGIN_MS);
  return {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout,
    requestTimeout: headersTimeout + requestBodyTimeoutMs,
  };
}

export interface HttpServerOptions {
  /** Milliseconds for which a connection may be idle. */
  readonly keepAliveTimeoutMs: number;
  /** Milliseconds within which a request body must arrive. */
  readonly requestBodyTimeoutMs: number;
  /** Maximum bytes of a request's target and headers. */
  readonly maxHeaderSize: number;
  /** Adds CORS headers to responses that the listener does not see. */
  readonly cors: Middleware;
}

/** The HTTP server of the standalone proxy. */
export interface HttpServer {
  /** Does not listen yet. */
  readonly server: Server;
  /**
   * Stops listening once the responses in progress are complete, at the latest after one second, and closes all
   * connections.
   */
  close(): Promise<void>;
}

/** Milliseconds that a stopping server waits for responses in progress. */
const RESPONSES_GRACE_MS = 1_000;
/** Milliseconds between two checks for responses in progress. */
const CHECK_MS = 20;

/** Creates the HTTP server of the standalone proxy. */
export function createHttpServer(listener: RequestListener, options: HttpServerOptions): HttpServer {
  const { maxHeaderSize, cors } = options;
  // Node discards the parsed headers of a request over its limit, including `Origin`. Node's limit is twice that of the
  // option, so that most requests over the option's limit get their 431 from `limitHeaders`, with CORS headers.
  const server = createServer({ ...serverTimeouts(options), maxHeaderSize: maxHeaderSize * 2 }, listener);
  server.on('clientError', malformedResponder(cors));
  const responses = new Set<ServerResponse>();
  server.on('request', (_, response) => {
    responses.add(response);
    response.once('close', () => responses.delete(response));
  });
  return {
    server,
    async close() {
      // `Server.close` destroys connections whose response has ended, even if bytes of it were not sent yet.
      const deadline = performance.now() + RESPONSES_GRACE_MS;
      while (responses.size > 0 && performance.now() < deadline) await setTimeout(CHECK_MS);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * Creates a middleware that rejects requests whose target and headers have more than `maxHeaderSize` bytes.
 * @throws ProxyError `REQUEST_HEADERS_TOO_LARGE` (passed to `next`).
 */
export function limitHeaders({ maxHeaderSize, cors }: HttpServerOptions): Middleware {
  return (req, res, next) => {
    if (headerBytes(req) <= maxHeaderSize) next();
    else cors(req, res, () => next(new ProxyError(HEADERS_TOO_LARGE.code, HEADERS_TOO_LARGE.message)));
  };
}

/** Returns the bytes of a request's target and headers, counted like Node: without separators. */
function headerBytes({ url = '', rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((sum, text) => sum + text.length, url.length);
}
