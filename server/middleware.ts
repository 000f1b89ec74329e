import type { IncomingMessage, ServerResponse } from 'node:http';
import { Router } from 'express';
import { corsMiddleware } from './http/cors.ts';
import type { DurableProxyOptions } from './options.ts';
import { resolveOptions } from './options/resolve.ts';
import { createProxy, type CloseOptions } from './proxy.ts';

/** An Express router (4 or 5) that is a durable proxy. */
export interface DurableProxyRouter {
  (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void): void;
  /**
   * Resolves when the store is open; rejects when it cannot be, as when another process holds `dataDir`.
   * Requests wait for it by themselves.
   */
  readonly ready: Promise<void>;
  /**
   * Takes no new streams (503 `SHUTTING_DOWN`), lets running ones finish for `drainMs` (default 10,000), closes
   * the rest as `interrupted`, and lets go of everything. Call it on SIGTERM, before `server.close()` ends.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * The durable proxy as a middleware, under whatever prefix it is mounted:
 *
 *     app.use('/v1/proxy', durableProxy({ jwtSecret, allowlist: ['https://api.openai.com/**'] }))
 *
 * @throws ConfigurationError for options that cannot work; the message shows a form that does.
 */
export function durableProxy(options: DurableProxyOptions): DurableProxyRouter {
  const resolved = resolveOptions(options);
  const proxy = createProxy(resolved);
  const router = Router({ caseSensitive: true });
  router.use(corsMiddleware(resolved.cors), (req, res) => void proxy.dispatch(req, res));
  return Object.assign(router as unknown as DurableProxyRouter, {
    ready: proxy.ready,
    close: (closeOptions?: CloseOptions) => proxy.close(closeOptions),
  });
}
