import {
  STREAM_CLOSED,
  STREAM_NEXT_OFFSET,
  STREAM_TTL,
  STREAM_UP_TO_DATE,
  UPSTREAM_OUTCOME,
  UPSTREAM_RECOVERIES,
  UPSTREAM_USAGE,
} from '../../protocol/headers.ts';
import { upstreamHeaders } from '../access/upstream-headers.ts';
import { asciiJson } from '../shared/ascii.ts';
import { recoveriesOf } from '../store/metadata.ts';
import type { Frame, StreamEnd, StreamInfo } from '../store/types.ts';

/** Media type of all streams in the base protocol. `Upstream-Content-Type` contains the upstream's own. */
export const STREAM_CONTENT_TYPE = 'application/octet-stream';

/** Clients may cache stored bytes if they revalidate them, because the stream may be deleted. */
export const STORED_CACHE_CONTROL = 'private, no-cache';

/** Headers of every read. They disable content sniffing and embedding by pages of other origins. */
export function readHeaders(
  info: Pick<StreamInfo, 'contentType' | 'metadata' | 'end'>,
): Record<string, string> {
  const recoveries = recoveriesOf(info.metadata);
  return {
    ...upstreamHeaders(info),
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'cross-origin',
    ...(recoveries > 0 && { [UPSTREAM_RECOVERIES]: String(recoveries) }),
  };
}

/** Headers of a closed stream; none for an open one. */
export function endHeaders(end: StreamEnd | undefined): Record<string, string> {
  return {
    ...(end && { [STREAM_CLOSED]: 'true', [UPSTREAM_OUTCOME]: end.outcome }),
    ...(end?.usage && { [UPSTREAM_USAGE]: asciiJson(JSON.stringify(end.usage)) }),
  };
}

/** Headers for the position after a frame. `Stream-Closed` is sent only at the end of a closed stream. */
export function positionHeaders({
  next,
  upToDate,
  end,
}: Pick<Frame, 'next' | 'upToDate' | 'end'>): Record<string, string> {
  return {
    [STREAM_NEXT_OFFSET]: next,
    ...(upToDate && { [STREAM_UP_TO_DATE]: 'true' }),
    ...endHeaders(end),
  };
}

/** Headers of HEAD: the tail, the TTL, and the outcome. */
export function headHeaders(info: StreamInfo): Record<string, string> {
  return {
    'Content-Type': STREAM_CONTENT_TYPE,
    [STREAM_NEXT_OFFSET]: info.tail,
    [STREAM_TTL]: String(info.ttlSeconds),
    ...endHeaders(info.end),
    'Cache-Control': 'no-store',
    ...readHeaders(info),
  };
}
