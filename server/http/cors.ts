import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import {
  EXPOSED_HEADERS,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import type { CorsOptions } from './cors-options.ts';

type Middleware = (req: IncomingMessage, res: ServerResponse, next: (err?: unknown) => void) => void;

/**
 * CORS for every route. A preflight allows whatever headers it asks for: SDKs add their own (`x-api-key`,
 * `anthropic-version`, `x-stainless-*`), and which of them an upstream gets is not decided here.
 */
export function corsMiddleware(options: CorsOptions | false): Middleware {
  if (options === false) return (_req, _res, next) => next();
  return cors<IncomingMessage>((req, done) => {
    const asked = String(req.headers['access-control-request-headers'] ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name));
    done(null, {
      methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'],
      allowedHeaders: [
        ...new Set([
          'Authorization',
          'Content-Type',
          UPSTREAM_URL,
          UPSTREAM_METHOD,
          UPSTREAM_AUTHORIZATION,
          ...asked,
        ]),
      ],
      exposedHeaders: [...EXPOSED_HEADERS],
      maxAge: 86_400,
      ...options,
    });
  }) as Middleware;
}
