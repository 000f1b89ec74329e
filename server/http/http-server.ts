import { createServer, type RequestListener, type Server } from 'node:http';

/** Node's defaults, in milliseconds. */
const NODE_HEADERS_TIMEOUT_MS = 60_000;
const NODE_REQUEST_TIMEOUT_MS = 300_000;

/** Milliseconds by which the time for a request's headers exceeds the time that a connection may be idle. */
const HEADERS_MARGIN_MS = 1_000;

/**
 * Returns the timeouts of an HTTP server whose idle connections a load balancer reuses.
 *
 * A balancer must close an idle connection before the server does; otherwise it sends a request into a connection
 * that the server is closing, and responds 502. Node also counts `headersTimeout` from the moment a connection opens,
 * so it has to be longer for connections that a balancer opens ahead of time. It cannot exceed `requestTimeout`.
 * @param keepAliveTimeoutMs milliseconds that a connection may be idle.
 */
export function serverTimeouts(keepAliveTimeoutMs: number): {
  readonly keepAliveTimeout: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
} {
  const headersTimeout = Math.max(NODE_HEADERS_TIMEOUT_MS, keepAliveTimeoutMs + HEADERS_MARGIN_MS);
  return {
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout,
    requestTimeout: Math.max(NODE_REQUEST_TIMEOUT_MS, headersTimeout),
  };
}

export interface HttpServerOptions {
  readonly keepAliveTimeoutMs: number;
}

/** Creates the HTTP server of the standalone proxy. It does not listen yet. */
export function createHttpServer(listener: RequestListener, options: HttpServerOptions): Server {
  return createServer(serverTimeouts(options.keepAliveTimeoutMs), listener);
}
