import type { IncomingMessage, ServerResponse } from 'node:http';
import { corsMiddleware } from './http/cors.ts';
import { INSPECTABLE } from './inspectable.ts';
import { mountOf } from './http/mount.ts';
import type { OpenerOptions } from './opener.ts';
import type { DurableProxyOptions } from './options.ts';
import { resolveOptions } from './options/resolve.ts';
import type { Readiness } from './telemetry/endpoints.ts';
import { createProxy, type CloseOptions } from './proxy.ts';

/** A durable proxy as middleware for Express (4 or 5), connect, `@fastify/middie` or `node:http`. */
export interface DurableProxyRouter {
  /**
   * Responds to every request; never calls `next`.
   * @param req the request.
   * @param res the response.
   * @param next is never called.
   */
  (req: IncomingMessage, res: ServerResponse, next?: (err?: unknown) => void): void;
  /**
   * Resolves when the store is open. Rejects if the first attempt to open it fails, for example because another
   * process holds `dataDir`. The proxy then keeps trying, with a backoff of at most 2 s. A request waits up to 5 s
   * for the store, then gets 502 `STORAGE_ERROR` with `Retry-After`.
   */
  readonly ready: Promise<void>;
  /**
   * Resolves with `ready` if the proxy accepts new streams, else with the reason: `starting`, `draining`, or
   * `store-unavailable`. Waits at most 2 s for the store. Never rejects. Intended for readiness checks of an app.
   */
  readiness(): Promise<Readiness>;
  /**
   * Rejects new streams (503 `SHUTTING_DOWN`), waits `drainMs` (default 10,000) for running ones, closes the rest as
   * `interrupted`, and releases all resources. Call it on SIGTERM, before `server.close()`.
   * @param options `drainMs`: milliseconds to wait for running streams.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Creates the durable proxy as middleware. It can be mounted under any path:
 *
 *     app.use('/v1/proxy', durableProxy({ jwtSecret, allowlist: ['https://api.openai.com/**'] }))
 *
 * @param options the secret and the allowlist; all others have defaults.
 * @returns the middleware, with `ready` and `close`.
 * @throws ConfigurationError for invalid options. The message shows a valid example.
 */
export function durableProxy(options: DurableProxyOptions): DurableProxyRouter {
  return createRouter(options);
}

/**
 * Creates the middleware, for `durableProxy` and for `createProxyServer`, which fails if the store cannot be opened.
 * @param opening `retries`: whether further attempts follow if the store cannot be opened.
 */
export function createRouter(
  options: DurableProxyOptions,
  opening?: Pick<OpenerOptions, 'retries'>,
): DurableProxyRouter {
  const resolved = resolveOptions(options);
  const proxy = createProxy(resolved, opening);
  const cors = corsMiddleware(resolved.cors);
  const middleware = (req: IncomingMessage, res: ServerResponse): void => {
    // The operator's `origin` function may be asynchronous, and frameworks change the request in the meantime.
    const arrival = { target: req.url ?? '/', mount: mountOf(req) };
    cors(req, res, (fault) => void proxy.dispatch(req, res, { ...arrival, fault }));
  };
  return Object.assign(middleware, {
    [INSPECTABLE]: proxy.inspectable,
    ready: proxy.ready,
    readiness: () => proxy.readiness(),
    close: (closeOptions?: CloseOptions) => proxy.close(closeOptions),
  });
}
