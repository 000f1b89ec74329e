import type { ServerResponse } from 'node:http';
import { STREAM_EVENT, type StreamEvent } from '../../protocol/follow.ts';
import { LAST_EVENT_ID, STREAM_KEY } from '../../protocol/headers.ts';
import { KEY, LIVE, LIVE_SSE } from '../../protocol/query.ts';
import { signedLocation } from '../access/location.ts';
import { isVisible } from '../access/visible.ts';
import type { Caller } from '../auth/service.ts';
import type { Context } from '../context.ts';
import { keyParam } from '../create/request.ts';
import { singleHeader, singleParam, type Exchange } from '../http/exchange.ts';
import { cutResponse, isClosed } from '../http/response.ts';
import { shuttingDown } from '../pump/running.ts';
import { SSE_HEADERS } from '../http/sse-headers.ts';
import type { LiveRead } from '../read/live-reads.ts';
import { KEEP_ALIVE } from '../read/sse-frames.ts';
import { disconnectStalled } from '../read/stalled.ts';
import { asciiJson } from '../shared/ascii.ts';
import { ProxyError } from '../shared/errors.ts';
import { isPending } from '../store/metadata.ts';
import type { StreamInfo } from '../store/types.ts';
import { contentTypeOf } from '../store/upstream-head.ts';
import { SeenStreams } from './seen-streams.ts';

/**
 * Milliseconds after which a follower has to authenticate again. A session may have ended, and each event contains a
 * fresh signed URL.
 */
const MAX_FOLLOW_MS = 900_000;

/** Dependencies for following a name. */
type FollowContext = Pick<
  Context,
  'store' | 'streamKeys' | 'nameFeeds' | 'running' | 'readerSlots' | 'liveReads' | 'options' | 'keyring'
>;

/**
 * Handles GET {base}?key=name&live=sse: sends an event for the caller's newest stream under a `Stream-Key`, for each
 * later one, and for each end. Waits if there is no stream.
 * @throws ProxyError `SHUTTING_DOWN`, `TOO_MANY_READERS`, `INVALID_REQUEST`, `NOT_FOUND` without a name.
 */
export async function followName(exchange: Exchange, context: FollowContext): Promise<void> {
  const { req, res, query, caller } = exchange;
  const { store, streamKeys, nameFeeds, running, readerSlots, liveReads, options } = context;
  const name = followedName(query);
  const seen = SeenStreams.parse(singleHeader(req, LAST_EVENT_ID));
  if (running.closing) throw shuttingDown();
  const subject = caller?.subject;
  readerSlots.take(`${KEY}:${JSON.stringify([subject, name])}`, res);
  // Throws while the store is unavailable, so that the response is an error.
  await streamKeys.latest(subject, name);
  const unfinished: [string, StreamInfo][] = [];
  for (const streamId of seen.open) {
    const info = await store.head(streamId);
    if (info && isVisible(info, caller)) unfinished.push([streamId, info]);
  }
  if (running.closing) throw shuttingDown();
  if (isClosed(res)) return;

  const report = (streamId: string, info: StreamInfo, isNewest: boolean): void => {
    const isOver = info.end !== undefined;
    if (!isVisible(info, caller) || !seen.isUnknown(streamId, { isClosed: isOver, isNewest })) return;
    seen.add(streamId, isOver);
    const data = JSON.stringify(eventOf(exchange, context, streamId, info));
    res.write(`event: ${STREAM_EVENT}\nid: ${seen.toString()}\ndata: ${asciiJson(data)}\n\n`, 'latin1');
  };
  const end = () => {
    joined.leave();
    res.end();
  };
  const destroy = () => {
    joined.leave();
    cutResponse(res);
  };
  const joined = nameFeeds.join(subject, name, { onStream: report, onFailure: destroy, onShutdown: end });
  const live: LiveRead = { streamId: undefined, beat: () => void res.write(KEEP_ALIVE), end, destroy };
  const timer = setTimeout(end, msOf(caller)).unref();
  res.on('close', () => {
    clearTimeout(timer);
    joined.leave();
    liveReads.remove(live);
  });
  disconnectStalled(res, options.readerStallTimeoutMs);
  sendHeaders(res);
  liveReads.add(live);
  for (const [streamId, info] of unfinished) report(streamId, info, false);
  for (const [streamId, info] of unfinished) joined.watch(streamId, info);
}

/** @throws ProxyError `INVALID_REQUEST`, or `NOT_FOUND` without a name. */
function followedName(query: URLSearchParams): string {
  const name = keyParam(query);
  if (name === undefined) {
    throw new ProxyError('NOT_FOUND', `To follow a name, send GET with ?${KEY}=<${STREAM_KEY}>&${LIVE}=sse`);
  }
  if (singleParam(query, LIVE) !== LIVE_SSE) {
    throw new ProxyError('INVALID_REQUEST', `With ${KEY}, ${LIVE} must be ${LIVE_SSE} or absent`);
  }
  return name;
}

function eventOf(
  exchange: Exchange,
  context: FollowContext,
  streamId: string,
  info: StreamInfo,
): StreamEvent {
  const { end, metadata } = info;
  const contentType = contentTypeOf(info);
  return {
    location: signedLocation(exchange, context, streamId),
    streamId,
    state: end ? 'closed' : isPending(metadata) ? 'pending' : 'open',
    ...(end && { outcome: end.outcome }),
    ...(contentType !== '' && { upstreamContentType: contentType }),
  };
}

/** Returns the milliseconds until the caller's credentials have to be checked again. */
function msOf(caller: Caller | undefined): number {
  const untilExpiryMs = (caller?.expiresAt ?? Infinity) * 1_000 - Date.now();
  return Math.min(MAX_FOLLOW_MS, Math.max(0, untilExpiryMs));
}

function sendHeaders(res: ServerResponse): void {
  res.writeHead(200, {
    ...SSE_HEADERS,
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'cross-origin',
  });
  // Node sends the headers with the first write.
  res.write(KEEP_ALIVE);
}
