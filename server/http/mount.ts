import type { IncomingMessage } from 'node:http';
import { splitTarget } from './exchange.ts';

/**
 * Returns the path at which a framework has mounted the middleware, without a trailing slash, or undefined if the
 * framework does not provide it.
 *
 * Express sets `baseUrl`. connect and `@fastify/middie` keep the whole target in `originalUrl` and remove the mount
 * from `url`. Frameworks restore `url` and `baseUrl` when a middleware calls `next`, so call this before any
 * asynchronous step.
 */
export function mountOf(
  req: IncomingMessage & { baseUrl?: unknown; originalUrl?: unknown },
): string | undefined {
  if (typeof req.baseUrl === 'string') return normalized(req.baseUrl);
  if (typeof req.originalUrl !== 'string') return undefined;
  const whole = splitTarget(req.originalUrl).path;
  const { path } = splitTarget(req.url ?? '/');
  if (path === '/') return normalized(whole);
  return whole.endsWith(path) ? normalized(whole.slice(0, -path.length)) : undefined;
}

/**
 * Returns the path with exactly one leading slash (`//host` would be the URL of another host) and no trailing slash.
 */
function normalized(path: string): string {
  return path.replace(/^\/+/, '/').replace(/\/+$/, '');
}
