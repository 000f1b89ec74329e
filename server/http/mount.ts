import type { IncomingMessage } from 'node:http';
import { splitTarget } from './exchange.ts';

/**
 * Returns the path at which a framework has mounted the middleware, without a slash at its end, or undefined if the
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
 * Returns the path with exactly one slash at the beginning (`//host` would be the URL of another host) and none at the
 * end.
 */
function normalized(path: string): string {
  return path.replace(/^\/+/, '/').replace(/\/+$/, '');
}
