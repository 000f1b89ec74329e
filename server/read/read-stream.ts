import type { ServerResponse } from 'node:http';
import { LAST_EVENT_ID, STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import {
  AS,
  AS_UPSTREAM,
  CURSOR,
  EVENTS,
  EVENTS_COMPACT,
  LIVE,
  LIVE_LONG_POLL,
  LIVE_SSE,
  OFFSET,
  OFFSET_NOW,
  OFFSET_START,
} from '../../protocol/query.ts';
import type { Context } from '../context.ts';
import { ProxyError } from '../shared/errors.ts';
import type { ReadMode } from '../shared/events.ts';
import { singleHeader, singleParam, type Exchange } from '../http/exchange.ts';
import type { Offset, StreamInfo } from '../store/types.ts';
import { visibleStream } from '../access/visible.ts';
import { sendAsUpstream } from './as-upstream.ts';
import { catchUp } from './catch-up.ts';
import { longPoll } from './long-poll.ts';
import { readSse } from './sse.ts';
import { disconnectStalled } from './stalled.ts';

/** Form of offsets in the base protocol. Other values are rejected before they reach a store. */
const OFFSET_TEXT = /^[^,&=?/\s]{1,255}$/;

/**
 * Handles GET {base}/{id}: the read of the base protocol in its three modes, and the whole body with `as=upstream`
 * (also HEAD).
 */
export async function readStream(
  exchange: Exchange,
  context: LiveReadContext & Pick<Context, 'readBudget' | 'bytePositions'>,
): Promise<void> {
  const { req, res, query, streamId, caller } = exchange;
  const { store, options, readBudget, readerSlots, readership, guardian, bytePositions } = context;
  const live = singleParam(query, LIVE);
  // `EventSource` reconnects with the id of the last event that it has received.
  const lastId = live === LIVE_SSE ? singleHeader(req, LAST_EVENT_ID) : undefined;
  const asked = singleParam(query, OFFSET) ?? (lastId || OFFSET_START);
  const cursor = singleParam(query, CURSOR);
  if (!OFFSET_TEXT.test(asked)) throw invalidOffset();
  if (live !== undefined && live !== LIVE_SSE && live !== LIVE_LONG_POLL) {
    throw new ProxyError('INVALID_REQUEST', `${LIVE} must be ${LIVE_SSE}, ${LIVE_LONG_POLL} or absent`);
  }
  const as = singleParam(query, AS);
  if (as !== undefined && (as !== AS_UPSTREAM || query.has(OFFSET) || query.has(LIVE))) {
    throw new ProxyError(
      'INVALID_REQUEST',
      `${AS} must be ${AS_UPSTREAM}. It cannot be combined with ${OFFSET} or ${LIVE}, because it reads the whole response`,
    );
  }
  const info = await visibleStream(exchange, context);
  const subject = caller?.subject;
  // A catch-up read at `now` needs only the metadata, so `now` is not resolved.
  const offset = asked === OFFSET_NOW && live !== undefined ? info.tail : asked;
  if (live === LIVE_SSE) {
    const isCompact = singleParam(query, EVENTS) === EVENTS_COMPACT;
    await liveRead(context, { res, streamId, offset, cursor, isCompact, status: 200, headers: {}, subject });
    return;
  }
  readerSlots.take(streamId, res);
  readership.enter(streamId, info, res);
  disconnectStalled(res, options.readerStallTimeoutMs);
  const ended = begin(context, live === undefined ? 'catch-up' : 'long-poll', streamId, subject);
  const release = live === undefined ? () => undefined : guardian.watch(streamId, info);
  let bytes = 0;
  try {
    bytes =
      as !== undefined
        ? await sendAsUpstream(exchange, bytePositions, info, streamId)
        : live === undefined
          ? await catchUp({ exchange, store, info, offset, budget: readBudget })
          : await longPoll({
              exchange,
              store,
              offset,
              timeoutMs: options.longPollTimeoutMs,
              budget: readBudget,
              cursor,
            });
  } finally {
    release();
    ended(bytes);
  }
}

/** Dependencies of an SSE read. */
export type LiveReadContext = Pick<
  Context,
  'store' | 'options' | 'encoder' | 'liveReads' | 'guardian' | 'readerSlots' | 'readership' | 'emit'
>;

export interface LiveReadOptions {
  readonly res: ServerResponse;
  readonly streamId: string;
  readonly offset: Offset;
  readonly cursor: string | undefined;
  /** True to send compact events. */
  readonly isCompact: boolean;
  readonly status: 200 | 201 | 202;
  readonly headers: Readonly<Record<string, string>>;
  readonly subject: string | undefined;
  /** True if the first bytes are about to be stored. */
  readonly expecting?: boolean;
}

/**
 * Performs an SSE read: emits its events, and watches the owner of the stream until it ends.
 * @throws ProxyError `TOO_MANY_READERS`; errors of `readSse`.
 */
export async function liveRead(context: LiveReadContext, options: LiveReadOptions): Promise<void> {
  const { store, encoder, liveReads, guardian, readerSlots, readership } = context;
  const { logger, readerStallTimeoutMs } = context.options;
  const { res, streamId, subject } = options;
  readerSlots.take(streamId, res);
  disconnectStalled(res, readerStallTimeoutMs);
  const onBegun = (info: StreamInfo) => {
    const ended = begin(context, 'sse', streamId, subject);
    const release = guardian.watch(streamId, info);
    readership.enter(streamId, info, res);
    return (bytes: number) => {
      release();
      ended(bytes);
    };
  };
  await readSse({ ...options, store, encoder, liveReads, logger, onBegun });
}

function begin(
  { emit }: Pick<Context, 'emit'>,
  mode: ReadMode,
  streamId: string,
  subject: string | undefined,
) {
  const startedAt = performance.now();
  emit({ type: 'read-begun', streamId, subject, mode });
  return (bytes: number) =>
    emit({ type: 'read-ended', streamId, subject, mode, bytes, durationMs: performance.now() - startedAt });
}

function invalidOffset(): ProxyError {
  return new ProxyError(
    'INVALID_OFFSET',
    `The offset is malformed. Use a value of ${STREAM_NEXT_OFFSET}, -1 or now`,
  );
}
