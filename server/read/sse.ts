import type { ServerResponse } from 'node:http';
import { STREAM_SSE_DATA_ENCODING } from '../../protocol/headers.ts';
import { cutResponse, isClosed } from '../http/response.ts';
import type { Logger } from '../shared/logger.ts';
import { isPending } from '../store/metadata.ts';
import { StoreError, type Frame, type Offset, type StreamInfo, type StreamStore } from '../store/types.ts';
import { headOf } from '../store/upstream-head.ts';
import { nextCursor } from './cursor.ts';
import { LIVE_CACHE_CONTROL, readHeaders } from './headers.ts';
import { infoAt } from './info-at.ts';
import type { LiveRead, LiveReads } from './live-reads.ts';
import { controlEvent, KEEP_ALIVE, OPENING, upstreamEvent, type SseEncoder } from './sse-frames.ts';

/**
 * Most bytes of the answer in one event. A reader can go on only behind a whole one, so on a line that breaks
 * after seconds a large event would never arrive; a smaller one would cost more control events than it saves.
 */
const FRAME_BYTES = 8_192;
/** Bytes on the wire from which on a write takes no further event: what a reader that stands still holds. */
const WRITE_BYTES = 65_536;

export interface SseOptions {
  readonly res: ServerResponse;
  readonly store: StreamStore;
  readonly streamId: string;
  readonly offset: Offset;
  /** What the reader's last control event said. */
  readonly cursor: string | undefined;
  readonly status: 200 | 201 | 202;
  /** Bytes are on their way to the store: the first of them goes out with the headers. */
  readonly expecting?: boolean;
  /** Beside those of every SSE read. */
  readonly headers: Readonly<Record<string, string>>;
  readonly encoder: SseEncoder;
  readonly liveReads: LiveReads;
  readonly logger: Logger;
  /** Called before the first byte goes out; gives what is called when the read is over. */
  readonly onBegun: (info: StreamInfo) => (bytes: number) => void;
}

/**
 * A reader is an offset and a loop: take the next frame, write, wait for drain or for more. One that reads
 * slowly holds its own frame and the next; one that is gone is forgotten at once.
 * @throws what `store.follow` throws, before anything was sent.
 */
export async function readSse(options: SseOptions): Promise<void> {
  const { res, store, streamId, encoder, liveReads, logger } = options;
  const cursor = nextCursor(options.cursor);
  let blocked = true;
  let silent = true;
  let over = false;
  let bytes = 0;
  /** Precedes the first bytes in the same write, then empty. */
  let opening = OPENING;
  /** Whether the reader knows the head of the upstream's response, or knows that there is none. */
  let knowsHead = false;
  let isLooking = false;
  /** Pulled, not written: a frame was the newest when it was made, and only the next one tells whether it still is. */
  let ahead: Frame | undefined;

  const finish = (): void => {
    if (over) return;
    over = true;
    follower.stop();
    ended(bytes);
  };
  const read: LiveRead = {
    streamId,
    beat: () => {
      // A response that has ended stays open until its client has taken the last bytes.
      if (!over && !blocked) send(KEEP_ALIVE);
    },
    end: () => {
      if (over) return;
      finish();
      res.end();
    },
    destroy: () => {
      finish();
      cutResponse(res);
    },
  };
  const send = (text: string): void => {
    blocked = !res.write(opening + text, 'latin1');
    opening = '';
  };
  /**
   * Writes what is at hand up to a limit: a few large writes cost less than many small ones. The closing goes
   * alone: `bodyStream` of `@durable-streams/client` drops data that arrives together with it.
   */
  const write = (first: Frame): void => {
    let frame = first;
    let text = '';
    for (;;) {
      ahead = frame.end ? undefined : follower.next();
      bytes += frame.bytes.length;
      text += encoder.encode(frame, cursor, frame.upToDate && !ahead);
      if (!ahead || ahead.end || text.length >= WRITE_BYTES) break;
      frame = ahead;
    }
    silent = false;
    send(text);
    if (frame.end) read.end();
  };
  const step = (): void => {
    try {
      if (blocked || over) return;
      ahead ??= follower.next();
      if (!knowsHead) seeHead({ contentType: info.contentType, metadata: follower.metadata });
      while (ahead && knowsHead && !blocked && !over) write(ahead);
    } catch (err) {
      fail(err);
    }
  };
  /** Tells the reader the head of the upstream's response, which it has to know before the first byte. */
  const seeHead = (known: Pick<StreamInfo, 'contentType' | 'metadata'>): void => {
    if (!isPending(known.metadata)) {
      knowsHead = true;
      silent = false;
      send(upstreamEvent({ next: info.tail, upToDate: !ahead }, cursor, headOf(known)));
    } else if (ahead && !isLooking) {
      isLooking = true;
      infoAt(store, streamId, known, ahead).then((found) => {
        if (over) return;
        // Without a head, the stream was closed before the upstream responded.
        if (isPending(found.metadata)) knowsHead = true;
        else seeHead(found);
        step();
      }, fail);
    }
  };
  const fail = (err: unknown): void => {
    if (over) return;
    finish();
    // An end without `streamClosed`, and after a failure a cut: no reader takes either for the end.
    if (err instanceof StoreError && err.code === 'NOT_FOUND') res.end();
    else {
      cutResponse(res);
      logger.warn({ err, streamId }, 'a live read lost its store');
    }
  };

  const follower = await store.follow(streamId, options.offset, step, FRAME_BYTES);
  const { info } = follower;
  const ended = options.onBegun(info);
  const isWaiting = isPending(info.metadata) && !info.end;
  knowsHead = !isWaiting;
  if (isClosed(res)) return finish();
  res.on('drain', () => {
    blocked = false;
    step();
  });
  res.on('close', () => {
    finish();
    liveReads.remove(read);
  });
  res.writeHead(options.status, {
    ...readHeaders(info),
    ...options.headers,
    'Content-Type': 'text/event-stream',
    'Cache-Control': LIVE_CACHE_CONTROL,
    // nginx and its like hold a response back unless told not to.
    'X-Accel-Buffering': 'no',
    [STREAM_SSE_DATA_ENCODING]: 'base64',
  });
  liveReads.add(read);
  blocked = false;
  step();
  if (!silent || over || blocked || options.expecting) return;
  if (isWaiting) return send(upstreamEvent({ next: info.tail, upToDate: true }, cursor, undefined));
  // Nothing at hand: at the tail say so, elsewhere send a comment; both send the headers on their way.
  const atTail = options.offset === info.tail;
  send(atTail ? controlEvent({ next: info.tail, upToDate: true }, cursor) : KEEP_ALIVE);
}
