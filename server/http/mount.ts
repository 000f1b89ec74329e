import type { IncomingMessage } from 'node:http';
import { splitTarget } from './exchange.ts';

/**
 * Returns the path under which a framework has mounted the middleware, without a slash at its end; undefined if the
 * framework does not tell.
 *
 * Express sets `baseUrl`. connect and `@fastify/middie` keep the whole target in `originalUrl` and take the mount off
 * `url`. Frameworks restore `url` and `baseUrl` when a middleware hands on, so this has to be called before anything
 * asynchronous.
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

/** One slash at the beginning: `//host` would be the URL of another host. None at the end. */
function normalized(path: string): string {
  return path.replace(/^\/+/, '/').replace(/\/+$/, '');
}
