import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServiceAuth } from '../auth/service.ts';
import { unauthorized } from '../auth/unauthorized.ts';
import { splitTarget } from '../http/exchange.ts';
import type { ProxyMetrics } from './metrics.ts';

/** `ready` if a proxy accepts new streams, otherwise the reason why it does not. */
export type Readiness = 'ready' | 'starting' | 'draining' | 'store-unavailable';

/** Creates the handler of `GET /ready`, which responds 503 unless the proxy accepts new streams. */
export function readyEndpoint(readiness: () => Promise<Readiness>) {
  return async (_req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const status = await readiness();
    res.statusCode = status === 'ready' ? 200 : 503;
    res.setHeader('Content-Type', 'application/json');
    res.setHeader('Cache-Control', 'no-store');
    res.end(JSON.stringify({ status }));
  };
}

/**
 * Creates the handler of `GET /metrics`.
 * @throws ProxyError `MISSING_SECRET` or `INVALID_SECRET` without the service secret: a token is not enough, because
 *   the metrics are about all callers.
 */
export function metricsEndpoint(metrics: ProxyMetrics, auth: ServiceAuth) {
  return async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const { operator } = await auth(req, splitTarget(req.url ?? '/').query);
    if (!operator) throw unauthorized('INVALID_SECRET', 'This requires the service secret');
    res.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
    res.setHeader('Cache-Control', 'no-store');
    res.end(metrics.render());
  };
}
