import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import {
  EXPOSED_HEADERS,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import type { CorsOptions } from './cors-options.ts';
import { isToken } from '../shared/token.ts';

/** Middleware for `node:http`, Express or connect. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void;

/**
 * Creates the CORS middleware for all routes. The response to a preflight allows all headers that the preflight asks
 * for: SDKs add their own (`x-api-key`, `anthropic-version`, `x-stainless-*`), and the proxy decides separately which
 * of them it forwards. The lists of the operator are added to those that the protocol needs, and do not replace them.
 */
export function corsMiddleware(options: CorsOptions | false): Middleware {
  if (options === false) return (_req, _res, next) => next();
  const { methods, allowedHeaders, exposedHeaders, ...others } = options;
  const merged = {
    methods: union(['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'], methods),
    exposedHeaders: union(EXPOSED_HEADERS, exposedHeaders),
    maxAge: 86_400,
    ...others,
  };
  const allowed = union(
    ['Authorization', 'Content-Type', UPSTREAM_URL, UPSTREAM_METHOD, UPSTREAM_AUTHORIZATION],
    allowedHeaders,
  );
  const handle = cors<IncomingMessage>((req, done) => {
    const asked = names(req.headers['access-control-request-headers'] ?? '').filter(isToken);
    done(null, { ...merged, allowedHeaders: union(allowed, asked) });
  }) as Middleware;
  return (req, res, next) => {
    try {
      handle(req, res, next);
    } catch (error) {
      // The operator's `origin` function threw.
      next(error);
    }
  };
}

/** Merges two lists of names without duplicates. Header names are case-insensitive (RFC 9110, section 5.1). */
function union(ours: readonly string[], more: string | readonly string[] = []): string[] {
  const byName = new Map([...ours, ...names(more)].map((name) => [name.toLowerCase(), name]));
  return [...byName.values()];
}

function names(list: string | readonly string[]): string[] {
  const parts = typeof list === 'string' ? list.split(',') : list;
  return parts.map((name) => name.trim()).filter((name) => name !== '');
}
