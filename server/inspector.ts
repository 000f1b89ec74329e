import type { IncomingMessage, ServerResponse } from 'node:http';
import { INSPECTABLE, type Inspectable } from './inspectable.ts';
import type { Authorize } from './inspector/http/guard.ts';
import { createInspectorHandler } from './inspector/http/handler.ts';
import { checkOptions, type OptionTable } from './shared/check-options.ts';
import { ConfigurationError } from './shared/errors.ts';
import type { MaybePromise } from './shared/maybe-promise.ts';
import { callback, list, required } from './shared/option-spec.ts';

export { ConfigurationError } from './shared/errors.ts';
export type { MaybePromise } from './shared/maybe-promise.ts';

/** Options of `durableInspector`. */
export interface DurableInspectorOptions {
  /**
   * Decides about every request. Only `true` permits the request; an exception or a rejection refuses it. The page
   * shows the answers of all users, and can stop and delete them.
   * @param req the request. Its body has not been read.
   */
  authorize: (req: IncomingMessage) => MaybePromise<boolean>;
  /**
   * Sources that may show the page in a frame (`frame-ancestors` of the Content Security Policy).
   * @default ["'self'"]
   */
  frameAncestors?: readonly string[];
}

/** A proxy of `durableProxy` or `createDurableHandler`. */
export interface InspectedProxy {
  /** Settles with the first attempt to open the store. */
  readonly ready: Promise<void>;
}

/**
 * Responds to every request; never calls `next`.
 * @param req the request.
 * @param res the response.
 * @param next is never called.
 */
export type DurableInspector = (
  req: IncomingMessage,
  res: ServerResponse,
  next?: (err?: unknown) => void,
) => void;

const EXAMPLE = 'durableInspector(proxy, { authorize: (req) => isAdmin(req) })';

const OPTIONS = {
  authorize: required<Authorize>((name, value) => {
    if (value === undefined)
      throw new ConfigurationError(
        `durableInspector needs authorize: the page shows the answers of all users, and can delete them. Example: ${EXAMPLE}`,
      );
    return callback<Authorize>('(req) => isAdmin(req)').check(name, value);
  }),
  frameAncestors: { ...list('["\'self\'", "https://admin.example.com"]'), fallback: ["'self'"] },
} as const satisfies OptionTable & Record<keyof DurableInspectorOptions, unknown>;

/**
 * Creates the operator's page of a proxy as middleware for Express, connect or `node:http`. The page shows running
 * and recent answers of all processes on the store, live. It can be mounted under any path:
 *
 *     app.use('/ops/streams', durableInspector(proxy, { authorize: (req) => isAdmin(req) }))
 *
 * A proxy records its answers from the moment an inspector is created for it, at most 1,000. Without an inspector,
 * nothing is recorded.
 *
 * @param proxy the proxy, as `durableProxy` or `createDurableHandler` returned it.
 * @param options who may see the page.
 * @returns the middleware.
 * @throws ConfigurationError for invalid options, or without `authorize`.
 */
export function durableInspector(proxy: InspectedProxy, options: DurableInspectorOptions): DurableInspector {
  const checked = checkOptions('durableInspector', OPTIONS, options, EXAMPLE);
  const handle = createInspectorHandler(inspectableOf(proxy), checked);
  return (req: IncomingMessage & { originalUrl?: unknown }, res) => {
    const target = req.url ?? '/';
    const original = typeof req.originalUrl === 'string' ? req.originalUrl : target;
    void handle(req, res, { target, original });
  };
}

function inspectableOf(proxy: unknown): Inspectable {
  const found = (proxy as { [INSPECTABLE]?: Inspectable } | null | undefined)?.[INSPECTABLE];
  if (found) return found;
  throw new ConfigurationError(
    `The first argument of durableInspector must be what durableProxy returned. Example: ${EXAMPLE}`,
  );
}
