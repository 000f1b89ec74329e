import type { UpstreamHead } from '../protocol/control.ts';
import {
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_HEADERS,
  UPSTREAM_STATE,
  UPSTREAM_STATUS,
} from '../protocol/headers.ts';

/**
 * Returns what a response about a stream says about the upstream's response; undefined if that is not known, or not yet.
 * Servers that send no status have a stream for a 2xx only.
 */
export function headOf(headers: Headers): UpstreamHead | undefined {
  if (headers.has(UPSTREAM_STATE)) return undefined;
  return {
    status: Number(headers.get(UPSTREAM_STATUS) ?? 200),
    contentType: headers.get(UPSTREAM_CONTENT_TYPE) ?? '',
    headers: JSON.parse(headers.get(UPSTREAM_HEADERS) ?? '[]') as UpstreamHead['headers'],
  };
}

/** True if a response has a body that may take long. The body of any other one is short. */
export function isSuccess(head: UpstreamHead | undefined): boolean {
  return (head?.status ?? 300) < 300;
}
