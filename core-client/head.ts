import type { UpstreamHead } from '../protocol/control.ts';
import {
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_HEADERS,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../protocol/headers.ts';

/**
 * Returns the head of the upstream's response from the headers of a create or read; undefined if the upstream has not
 * responded. Servers that send no status have streams of 2xx responses only.
 */
export function headOf(headers: Headers): UpstreamHead | undefined {
  const status = headers.get(UPSTREAM_STATUS);
  // Earlier servers send both if the head arrives before the read begins.
  if (!status && headers.has(UPSTREAM_STATE)) return undefined;
  return {
    status: Number(status ?? 200),
    contentType: headers.get(UPSTREAM_CONTENT_TYPE) ?? '',
    headers: JSON.parse(headers.get(UPSTREAM_HEADERS) ?? '[]') as UpstreamHead['headers'],
  };
}

/** Returns true for a 2xx response, whose body may take long. The bodies of other responses are short. */
export function isSuccess(head: UpstreamHead | undefined): boolean {
  return (head?.status ?? 300) < 300;
}
