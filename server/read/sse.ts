import type { ServerResponse } from 'node:http';
import { STREAM_SSE_DATA_ENCODING } from '../../protocol/headers.ts';
import { cutResponse, isClosed } from '../http/response.ts';
import { SSE_HEADERS } from '../http/sse-headers.ts';
import type { Logger } from '../shared/logger.ts';
import { isPending } from '../store/metadata.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { Frame, Offset, StreamInfo, StreamStore } from '../store/types.ts';
import { headOf } from '../store/upstream-head.ts';
import { nextCursor } from './cursor.ts';
import { readHeaders } from './headers.ts';
import { infoAt } from './info-at.ts';
import type { LiveRead, LiveReads } from './live-reads.ts';
import { controlEvent, KEEP_ALIVE, OPENING, upstreamEvent, type SseEncoder } from './sse-frames.ts';

/**
 * Maximum bytes of one event. A client can resume only after a complete event, so a large one would never arrive over a
 * connection that breaks every few seconds. Smaller events would cost more in control events than they save. The stores
 * share frames of this size among readers.
 */
const FRAME_BYTES = 8_192;
/** Bytes of one write after which no further event is added: the memory that a stalled client occupies. */
const WRITE_BYTES = 65_536;

export interface SseOptions {
  readonly res: ServerResponse;
  readonly store: StreamStore;
  readonly streamId: string;
  readonly offset: Offset;
  /** `cursor` of the reader's last control event. */
  readonly cursor: string | undefined;
  /** True to send compact events. */
  readonly isCompact: boolean;
  readonly status: 200 | 201 | 202;
  /** True if the first bytes are about to be stored. They are then sent together with the headers. */
  readonly expecting?: boolean;
  /** Headers in addition to those of every SSE read. */
  readonly headers: Readonly<Record<string, string>>;
  readonly encoder: SseEncoder;
  readonly liveReads: LiveReads;
  readonly logger: Logger;
  /**
   * Called before the first byte is sent.
   * @returns a function that is called when the read has ended.
   */
  readonly onBegun: (info: StreamInfo) => (bytes: number) => void;
}

/**
 * Streams frames to one client, respecting backpressure. A slow client buffers at most two frames; a disconnected one
 * is released immediately.
 * @throws errors of `store.follow`, before anything was sent.
 */
export async function readSse(options: SseOptions): Promise<void> {
  const { res, store, streamId, isCompact, encoder, liveReads, logger } = options;
  const cursor = nextCursor(options.cursor);
  let blocked = true;
  let silent = true;
  let over = false;
  let bytes = 0;
  /** Sent in the same write as the first bytes, then empty. */
  let opening = OPENING;
  /** True once the reader knows the head of the upstream's response, or knows that there is none. */
  let knowsHead = false;
  let isReadingHead = false;
  /** A frame that was read but not sent. Reading ahead shows whether the frame before it is the newest. */
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
      // A response that has ended stays open until its client has received the last bytes.
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
   * Writes the available frames up to a limit, because a few large writes cost less than many small ones. The closing
   * event is a separate write: `bodyStream` of `@durable-streams/client` drops data that arrives together with it.
   */
  const write = (first: Frame): void => {
    let frame = first;
    let text = '';
    for (;;) {
      ahead = frame.end ? undefined : follower.next();
      bytes += frame.bytes.length;
      text += isCompact
        ? encoder.encodeCompact(frame)
        : encoder.encode(frame, cursor, frame.upToDate && !ahead);
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
      if (!knowsHead) sendHead({ contentType: info.contentType, metadata: follower.metadata });
      while (ahead && knowsHead && !blocked && !over) write(ahead);
    } catch (err) {
      fail(err);
    }
  };
  /** Sends the head of the upstream's response, which must precede the first byte. */
  const sendHead = (known: Pick<StreamInfo, 'contentType' | 'metadata'>): void => {
    if (!isPending(known.metadata)) {
      knowsHead = true;
      silent = false;
      send(upstreamEvent({ next: info.tail, upToDate: !ahead }, cursor, headOf(known)));
    } else if (ahead && !isReadingHead) {
      isReadingHead = true;
      infoAt(store, streamId, known, ahead).then((found) => {
        if (over) return;
        // Without a head, the stream was closed before the upstream responded.
        if (isPending(found.metadata)) knowsHead = true;
        else sendHead(found);
        step();
      }, fail);
    }
  };
  const fail = (err: unknown): void => {
    if (over) return;
    finish();
    // Ends the response without `streamClosed` if the stream was deleted, and cuts it after a failure. Clients do not
    // treat either as the end of the stream.
    if (isStoreError(err, 'NOT_FOUND')) res.end();
    else {
      cutResponse(res);
      logger.warn({ err, streamId }, 'ended a live read: the store failed');
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
    ...SSE_HEADERS,
    [STREAM_SSE_DATA_ENCODING]: 'base64',
  });
  liveReads.add(read);
  blocked = false;
  step();
  if (!silent || over || blocked || options.expecting) return;
  if (isWaiting) return send(upstreamEvent({ next: info.tail, upToDate: true }, cursor, undefined));
  // Without frames, sends a control event at the tail and a comment elsewhere. Node sends the headers with the first
  // write.
  const atTail = options.offset === info.tail;
  send(atTail ? controlEvent({ next: info.tail, upToDate: true }, cursor) : KEEP_ALIVE);
}
