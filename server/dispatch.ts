import type { IncomingMessage, ServerResponse } from 'node:http';
import { EXPIRES, SIGNATURE } from '../protocol/query.ts';
import type { Caller, ServiceAuth } from './auth/service.ts';
import { verifySignedUrl } from './auth/signed-url.ts';
import { unauthorized } from './auth/unauthorized.ts';
import type { Context } from './context.ts';
import { ProxyError } from './shared/errors.ts';
import { splitTarget } from './http/exchange.ts';
import { renderError, toProxyError } from './http/render-error.ts';
import { ignoreErrors } from './http/response.ts';
import type { Opener } from './opener.ts';
import { redact, secretsOfRequest } from './shared/redact.ts';
import { ROUTES, type Route } from './routes.ts';
import { streamNotFound } from './access/visible.ts';

/** Stream ids are UUIDs (RFC 9562). Other ids are rejected before they reach a store. */
const STREAM_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const STREAM_PATH = /^\/([^/]+)\/?$/;

/** Milliseconds that a request waits for the store to open, at most. */
export const OPEN_WAIT_MS = 5_000;

const UNKNOWN_MOUNT =
  'The path of the mount is unknown, so Location lacks it. Set basePath to the path under which durableProxy is ' +
  "mounted ('/' for none), or publicUrl. Example: basePath: '/v1/proxy'";

export interface DispatchOptions {
  readonly context: Context;
  readonly auth: ServiceAuth;
  readonly opener: Pick<Opener, 'wait'>;
}

/** Properties of a request at the time it arrived. Frameworks change `req.url` later. */
export interface Arrival {
  /** The request target below the mount. */
  readonly target: string;
  /** Path of the mount, or undefined if the framework does not provide it. */
  readonly mount: string | undefined;
  /** Error thrown by the operator's CORS function. */
  readonly fault?: unknown;
}

export type Dispatch = (req: IncomingMessage, res: ServerResponse, arrival: Arrival) => Promise<void>;

/**
 * Creates the function that finds the route of a request, authenticates it and runs the handler. Errors are rendered
 * here only.
 */
export function createDispatch({ context, auth, opener }: DispatchOptions): Dispatch {
  const { options, emit } = context;

  let hasWarned = false;

  return async function dispatch(req, res, { target, mount, fault }) {
    ignoreErrors(res);
    try {
      // eslint-disable-next-line @typescript-eslint/only-throw-error -- what the operator's function threw, unchanged
      if (fault !== undefined && fault !== null) throw fault;
      const { path, query } = splitTarget(target);
      const { route, streamId } = findRoute(req.method ?? 'GET', path, query);
      const caller = await authorize(route, req, query, streamId);
      // After the credentials: without them, the response is 401 whatever the id (AUTH-15).
      if (route.at === 'stream' && !STREAM_ID.test(streamId)) throw streamNotFound();
      await opener.wait(OPEN_WAIT_MS);
      const base = options.publicUrl ?? options.basePath ?? mount;
      if (base === undefined && route.at === 'base' && !hasWarned) {
        hasWarned = true;
        options.logger.error({}, UNKNOWN_MOUNT);
      }
      await route.handle({ req, res, query, base: base ?? '', streamId, caller }, context);
    } catch (error) {
      refuse(req, res, toProxyError(error));
    }
  };

  async function authorize(
    route: Route,
    req: IncomingMessage,
    query: URLSearchParams,
    streamId: string,
  ): Promise<Caller | undefined> {
    const signed = query.has(SIGNATURE) || query.has(EXPIRES);
    if (route.auth === 'service' || (route.auth === 'signed-or-service' && !signed)) return auth(req, query);
    if (!signed)
      throw unauthorized(
        'MISSING_SIGNATURE',
        'This operation requires the signed URL from the Location header',
      );
    const { scope } = verifySignedUrl(context.keyring, streamId, query);
    if (scope === 'read' && route.auth === 'signed') {
      throw unauthorized('SIGNATURE_INVALID', 'This signed URL is for reading only');
    }
    return undefined;
  }

  function refuse(req: IncomingMessage, res: ServerResponse, error: ProxyError): void {
    const { code, status } = error;
    // Logged as a warning, not as an error: a caller causes it, and it may occur often.
    if (code === 'STORAGE_QUOTA_EXCEEDED') options.logger.warn({ code }, error.message);
    else if (status >= 500) {
      const secrets = [...secretsOfRequest(req), ...[options.jwtSecret].flat()];
      options.logger.error({ err: redact(error.cause ?? error, secrets), code }, error.message);
    } else options.logger.debug({ code }, error.message);
    emit({ type: 'refused', code, status, method: req.method ?? '' });
    renderError(req, res, error);
  }
}

function findRoute(method: string, path: string, query: URLSearchParams): { route: Route; streamId: string } {
  const id = STREAM_PATH.exec(path)?.[1];
  const at = path === '/' ? 'base' : id === undefined ? undefined : 'stream';
  if (!at) throw new ProxyError('NOT_FOUND', 'Not found');
  const routes = ROUTES.filter((route) => route.at === at);
  const route = routes.find(
    ({ method: own, param }) => own === method && (param === undefined || query.has(param)),
  );
  if (!route) {
    const allow = [...new Set(routes.map((candidate) => candidate.method)), 'OPTIONS'].join(', ');
    throw new ProxyError(
      'METHOD_NOT_ALLOWED',
      `${at === 'base' ? 'The mount' : 'A stream'} allows ${allow}`,
      {
        headers: { Allow: allow },
      },
    );
  }
  return { route, streamId: id?.toLowerCase() ?? '' };
}
