import { ProxyError } from '../shared/errors.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import {
  discardBody,
  readErrorBody,
  type UpstreamResponse,
  type UpstreamClient,
  type UpstreamRequest,
} from '../upstream/client.ts';
import { upstreamErrorHeaders } from '../upstream/headers.ts';
import { UpstreamFailure } from '../upstream/failure.ts';

/**
 * Calls the upstream and resolves with its response if that is a 2xx. The body is not read.
 * @throws ProxyError `REDIRECT_NOT_ALLOWED`, `UPSTREAM_TIMEOUT`, `UPSTREAM_ERROR`, `UPSTREAM_NOT_ALLOWED`;
 * UpstreamFailure for a 4xx or 5xx, with the upstream's error.
 */
export async function callUpstream(
  upstream: UpstreamClient,
  request: UpstreamRequest,
  { maxErrorBytes }: Pick<ResolvedOptions, 'maxErrorBytes'>,
): Promise<UpstreamResponse> {
  const response = await upstream.request(request);
  if (response.status >= 200 && response.status < 300) return response;
  if (response.status >= 300 && response.status < 400) {
    discardBody(response.body);
    throw redirectRefused(response.status);
  }
  throw new UpstreamFailure(
    response.status,
    upstreamErrorHeaders(response.headers),
    await readErrorBody(response.body, maxErrorBytes),
  );
}

export function redirectRefused(status: number): ProxyError {
  return new ProxyError(
    'REDIRECT_NOT_ALLOWED',
    `The upstream responded ${status}. Redirects are not followed: send the request to the redirect's target`,
  );
}
