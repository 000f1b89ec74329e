import {
  STREAM_CLOSED,
  STREAM_CURSOR,
  STREAM_NEXT_OFFSET,
  UPSTREAM_OUTCOME,
  UPSTREAM_USAGE,
} from '../protocol/headers.ts';
import type { Usage } from '../protocol/usage.ts';
import { isOutcome } from '../protocol/outcomes.ts';
import { headOf } from './head.ts';
import type { Mutable } from './mutable.ts';
import type { PartReader } from './sse-reader.ts';

/**
 * Reads a stream by long-polls, for networks in which a server buffers SSE. Each response is one part.
 * @param poll sends one long-poll; resolves with a 200 or 204 that has `Stream-Next-Offset`.
 * @param until when to end (`Date.now()`), so that SSE is tried again.
 * @param close ends a poll in progress.
 */
export function readPolls(poll: () => Promise<Response>, until: number, close: () => void): PartReader {
  const reader: Mutable<PartReader> = {
    head: undefined,
    async next() {
      if (Date.now() > until) return undefined;
      const response = await poll();
      const { headers } = response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      const outcome = headers.get(UPSTREAM_OUTCOME);
      reader.isAlive = true;
      reader.head = headOf(headers);
      const usage = headers.get(UPSTREAM_USAGE);
      return {
        bytes,
        control: {
          streamNextOffset: headers.get(STREAM_NEXT_OFFSET)!,
          streamCursor: headers.get(STREAM_CURSOR) ?? '',
          streamClosed: headers.has(STREAM_CLOSED),
          ...(isOutcome(outcome) && { upstreamOutcome: outcome }),
          ...(usage && { upstreamUsage: JSON.parse(usage) as Usage }),
        },
      };
    },
    isAlive: false,
    isMute: false,
    check: close,
    close,
  };
  return reader;
}
