import { controlEventOf } from '../protocol/control.ts';
import {
  STREAM_CLOSED,
  STREAM_CURSOR,
  STREAM_NEXT_OFFSET,
  UPSTREAM_OUTCOME,
  UPSTREAM_USAGE,
} from '../protocol/headers.ts';
import { headOf } from './head.ts';
import type { Mutable } from './mutable.ts';
import type { PartReader } from './sse-reader.ts';

/**
 * Reads a stream by long-polls, for networks in which an intermediary buffers SSE. Each response is one part.
 * @param poll sends one long-poll; resolves with a 200 or 204 that has `Stream-Next-Offset`.
 * @param until when to end (`Date.now()`), so that SSE is tried again.
 * @param close ends a poll in progress.
 * @returns the reader, once the first poll has a response.
 * @throws what the first poll throws.
 */
export async function readPolls(
  poll: () => Promise<Response>,
  until: number,
  close: () => void,
): Promise<PartReader> {
  let first: Response | undefined = await poll();
  const reader: Mutable<PartReader> = {
    head: undefined,
    async next() {
      if (!first && Date.now() > until) return undefined;
      const response = first ?? (await poll());
      first = undefined;
      const { headers } = response;
      const control = controlEventOf({
        streamNextOffset: headers.get(STREAM_NEXT_OFFSET),
        streamCursor: headers.get(STREAM_CURSOR),
        streamClosed: headers.has(STREAM_CLOSED),
        upstreamHead: headOf(headers),
        upstreamOutcome: headers.get(UPSTREAM_OUTCOME),
        upstreamUsage: JSON.parse(headers.get(UPSTREAM_USAGE) ?? 'null') as unknown,
      })!;
      reader.isAlive = true;
      return { bytes: new Uint8Array(await response.arrayBuffer()), control };
    },
    isAlive: false,
    isMute: false,
    check: close,
    close,
  };
  return reader;
}
