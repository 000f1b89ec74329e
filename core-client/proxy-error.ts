import { ERROR_STATUS, type ErrorBody } from '../protocol/errors.ts';
import { UPSTREAM_STATUS } from '../protocol/headers.ts';
import { retryAfter } from './backoff.ts';
import {
  DurableNetworkError,
  DurableStreamError,
  TOO_LARGE,
  withoutQuery,
  type DurableError,
  type ErrorTarget,
} from './errors.ts';

/** True if the response carries the upstream's own error (CREATE-7). Its body has the upstream's format. */
export function isUpstreamError({ ok, headers }: Response): boolean {
  return !ok && headers.has(UPSTREAM_STATUS);
}

/** Reads the body of an error response. A truncated body does not change the meaning of the status. */
export async function errorBody(response: Response): Promise<ArrayBuffer> {
  return response.ok ? new ArrayBuffer() : response.arrayBuffer().catch(() => new ArrayBuffer());
}

/**
 * Returns the error of a response that is not the expected one.
 *
 * Only a response in the proxy's error format, with a code of its table, comes from the proxy: a `DurableStreamError`.
 * Ingresses, load balancers, CDNs and captive portals respond too. Their responses say nothing about the stream or the
 * create, so they count as a lost connection: a `DurableNetworkError` that may be retried.
 * @param body the body of an error response. Default: reads it.
 */
export async function proxyErrorOf(
  response: Response,
  target: ErrorTarget,
  body?: ArrayBuffer,
): Promise<DurableError> {
  const { ok, status, headers, url } = response;
  const error = parse(body ?? (await errorBody(response)));
  if (error) {
    const retryAfterMs = /408|425|429|5../.test(`${status}`) ? retryAfter(headers) : undefined;
    return new DurableStreamError(error.code, error.message, {
      outcome: error.code === 'REQUEST_ABORTED' ? 'aborted' : undefined,
      status,
      target,
      retryAfterMs,
    });
  }
  const advice = ok
    ? '. Check proxyUrl, and that CORS exposes Location'
    : status === 413
      ? '. Raise its limit for bodies (express.json: 100 kB)'
      : status === 404
        ? '. Check proxyUrl'
        : '';
  return new DurableNetworkError(
    'INVALID_RESPONSE',
    `Received status ${status} from another server than the proxy: ${withoutQuery(url)}${advice}`,
    // A request that is too large stays too large.
    { status, target, retryAfterMs: TOO_LARGE.includes(status) ? undefined : retryAfter(headers) },
  );
}

function parse(body: ArrayBuffer): ErrorBody['error'] | undefined {
  try {
    const { error } = JSON.parse(new TextDecoder().decode(body)) as ErrorBody;
    return Object.hasOwn(ERROR_STATUS, error.code) && typeof error.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
