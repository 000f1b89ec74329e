import type { UpstreamHead } from '../protocol/control.ts';
import { STREAM_CLOSED, STREAM_CURSOR, STREAM_NEXT_OFFSET, UPSTREAM_OUTCOME } from '../protocol/headers.ts';
import { isOutcome } from '../protocol/outcomes.ts';
import { headOf } from './head.ts';
import type { SseReader } from './reader.ts';

/**
 * Reads a stream by long-polls, for networks in which a server buffers SSE.
 * @param poll sends one long-poll; resolves with a 200 or 204 that has `Stream-Next-Offset`.
 * @param until when to end (`Date.now()`), so that SSE is tried again.
 * @param close ends a poll in progress.
 */
export function readPolls(poll: () => Promise<Response>, until: number, close: () => void): SseReader {
  let outcome: string | null = null;
  let head: UpstreamHead | undefined;
  let wasAlive = false;
  return {
    get head() {
      return head;
    },
    get outcome() {
      return isOutcome(outcome) ? outcome : undefined;
    },
    async next() {
      if (Date.now() > until) return undefined;
      const response = await poll();
      const { headers } = response;
      const bytes = new Uint8Array(await response.arrayBuffer());
      wasAlive = true;
      outcome = headers.get(UPSTREAM_OUTCOME);
      head = headOf(headers);
      const streamCursor = headers.get(STREAM_CURSOR);
      return {
        bytes,
        control: {
          streamNextOffset: headers.get(STREAM_NEXT_OFFSET)!,
          ...(streamCursor && { streamCursor }),
          streamClosed: headers.has(STREAM_CLOSED),
        },
      };
    },
    wasAlive: () => wasAlive,
    wasMute: () => false,
    check: close,
    close,
  };
}
