import type { Authenticate } from './auth/service.ts';
import { corsMiddleware } from './http/cors.ts';
import type { Dispatch } from './dispatch.ts';
import { renderError, toProxyError } from './http/render-error.ts';
import { INSPECTABLE } from './inspectable.ts';
import type { DurableProxyOptions, PrepareUpstream, UpstreamDraft } from './options.ts';
import { resolveOptions } from './options/resolve.ts';
import { createProxy, type CloseOptions, type Proxy } from './proxy.ts';
import { ConfigurationError, ProxyError } from './shared/errors.ts';
import { WebRequest } from './http/web-request.ts';
import { WebResponse } from './http/web-response.ts';

/** Options of `createDurableHandler`: those of `durableProxy`, with `Request` in place of `IncomingMessage`. */
export interface DurableHandlerOptions extends Omit<
  DurableProxyOptions,
  'basePath' | 'authenticate' | 'prepareUpstream'
> {
  /** Path of the route that calls the handler, such as `/v1/proxy`. `Location` begins with it. `/` for the root. */
  basePath: string;
  /**
   * Returns the subject of the app's own session, or null for a visitor without one.
   * @param request the HTTP request of the caller.
   */
  authenticate?: ((request: Request) => ReturnType<Authenticate>) | undefined;
  /**
   * Changes the upstream request, for example by adding the provider's key. The body of `req` has been read.
   * @param draft the request to the upstream. Changes of `url` and `headers` in place take effect.
   */
  prepareUpstream?: ((draft: WebUpstreamDraft) => ReturnType<PrepareUpstream>) | undefined;
}

/**
 * The upstream request that `prepareUpstream` of a web handler receives. `url` and `headers` may be changed in place.
 */
export interface WebUpstreamDraft extends Omit<UpstreamDraft, 'req'> {
  /** Request of the create. Undefined for other purposes: they have no caller. */
  readonly req: Request | undefined;
}

/** A durable proxy for servers that pass a `Request` and send a `Response`. */
export interface DurableHandler {
  /**
   * Responds to every request. Never rejects.
   * @param request the HTTP request of the caller.
   */
  (request: Request): Promise<Response>;
  /**
   * Opens the store if no request has done so, and resolves when it is open. Rejects if the first attempt fails; the
   * handler then keeps trying, as `durableProxy` does.
   */
  readonly ready: Promise<void>;
  /**
   * Refuses new streams (503 `SHUTTING_DOWN`), waits `drainMs` (default 10,000 ms) for running ones, closes the rest as
   * `interrupted`, and releases all resources. Idempotent.
   * @param options `drainMs`: milliseconds to wait for running streams.
   */
  close(options?: CloseOptions): Promise<void>;
}

const NAME = 'createDurableHandler';

/**
 * Creates the durable proxy as a function from `Request` to `Response`, for Next.js, Hono, SvelteKit, Remix, TanStack
 * Start, Bun and Deno. The first request opens the store, so that a build does not.
 *
 * @param options those of `durableProxy`, and `basePath`.
 * @returns the handler, with `ready` and `close`.
 * @throws ConfigurationError for invalid options. The message shows a valid example.
 * @example
 *     const handler = createDurableHandler({ basePath: '/v1/proxy', jwtSecret, allowlist });
 *     app.all('/v1/proxy/*', (c) => handler(c.req.raw)); // Hono
 */
export function createDurableHandler(options: DurableHandlerOptions): DurableHandler {
  const resolved = resolveOptions(nodeOptions(options), NAME);
  const { basePath } = resolved;
  if (basePath === undefined)
    throw new ConfigurationError(
      `${NAME} needs basePath, the path of its route. Example: basePath: '/v1/proxy'`,
    );
  const cors = corsMiddleware(resolved.cors);
  let proxy: Proxy | undefined;
  let closing: Promise<void> | undefined;
  const opened = (): Proxy => (proxy ??= createProxy(resolved));

  const dispatch: Dispatch = async (...request) => {
    let dispatching: Proxy;
    try {
      dispatching = opened();
    } catch (err) {
      // An option that is checked when the proxy is created, such as `jwtSecret`: a build may lack it.
      resolved.logger.error({ err }, `${NAME} could not create the proxy`);
      return renderError(request[0], request[1], toProxyError(err));
    }
    await dispatching.dispatch(...request);
  };

  const handler = (request: Request): Promise<Response> => {
    const target = targetOf(request.url, basePath);
    const req = new WebRequest(request, target);
    const res = new WebResponse(req);
    const { incoming } = req;
    const { outgoing } = res;
    cors(incoming, outgoing, (fault) => {
      if (closing && !proxy) renderError(incoming, outgoing, shutDown());
      else void dispatch(incoming, outgoing, { target, mount: basePath, fault });
    });
    return res.response;
  };
  const close = (closeOptions?: CloseOptions): Promise<void> =>
    (closing ??= proxy?.close(closeOptions) ?? Promise.resolve());
  // Not `Object.assign`, which would call the getter.
  return Object.defineProperties(handler, {
    ready: { get: () => (closing && !proxy ? Promise.reject(shutDown()) : opened().ready) },
    [INSPECTABLE]: { get: () => opened().inspectable },
    close: { value: close },
  }) as DurableHandler;
}

const shutDown = (): ProxyError => new ProxyError('SHUTTING_DOWN', 'The proxy was shut down');

/**
 * Returns the target below the mount. A framework may have removed the path of the mount, as `app.mount` of Hono does:
 * the path is then below the mount already.
 */
function targetOf(url: string, basePath: string): string {
  const { pathname, search } = new URL(url);
  const isWhole = pathname === basePath || pathname.startsWith(`${basePath}/`);
  return (isWhole ? pathname.slice(basePath.length) : pathname) + search;
}

/** Adapts the callbacks among the options, so that they receive the `Request` that the framework passed. */
function nodeOptions(options: DurableHandlerOptions): DurableProxyOptions {
  const { authenticate, prepareUpstream } = options;
  return {
    // Values that are not functions are rejected when the options are checked.
    ...(options as unknown as DurableProxyOptions),
    ...(typeof authenticate === 'function' && {
      authenticate: (req) => authenticate((req as unknown as WebRequest).request),
    }),
    ...(typeof prepareUpstream === 'function' && {
      prepareUpstream: (draft) =>
        prepareUpstream(Object.assign(draft, { req: (draft.req as WebRequest | undefined)?.request })),
    }),
  };
}
