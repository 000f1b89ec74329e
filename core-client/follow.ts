import { STREAM_EVENT, type StreamEvent } from '../protocol/follow.ts';
import { LAST_EVENT_ID } from '../protocol/headers.ts';
import { LIVE, LIVE_SSE } from '../protocol/query.ts';
import type { Outcome } from '../protocol/outcomes.ts';
import { createAbortFn } from './abort.ts';
import { createCall, type Call } from './call.ts';
import { DurableStreamError } from './errors.ts';
import { createProxyClient, type ProxyClient } from './proxy-client.ts';
import { proxyErrorOf } from './proxy-error.ts';
import { mergeSettings } from './settings.ts';
import { createSseParser } from './sse-lines.ts';
import { MemoryStorage } from './storage.ts';
import { isEventStream } from './stream-handle.ts';
import type { DurableFetch, DurableFetchOptions, FollowedStream, FollowInit } from './types.ts';

/** A connection that lasted this many milliseconds does not count as a failed attempt, even without an event. */
const HELD_MS = 5_000;

/** The client that follows a name. */
export interface FollowingClient {
  readonly options: DurableFetchOptions;
  readonly resume: DurableFetch['resume'];
}

interface FollowContext extends FollowingClient {
  readonly name: string;
  readonly proxy: ProxyClient;
  readonly heartbeatTimeoutMs: number;
}

interface Received {
  readonly event: StreamEvent;
  readonly id: string;
}

/**
 * Reports the streams under a name, over as many connections as necessary. Ends when the signal of `init` aborts.
 * @throws DurableStreamError if the proxy refuses.
 */
export async function* followName(
  name: string,
  { lastEventId: lastId, ...init }: FollowInit = {},
  { options, resume }: FollowingClient,
): AsyncGenerator<FollowedStream, void, undefined> {
  // Following stores nothing.
  const settings = mergeSettings(new MemoryStorage(), options, { ...init, streamKey: name });
  const { heartbeatTimeoutMs, retryTimeoutMs, maxReconnectAttempts, wake, debug } = settings;
  const proxy = createProxyClient(settings, options.fetch);
  const context: FollowContext = { name, options, resume, proxy, heartbeatTimeoutMs };
  const signal = settings.signal ?? undefined;
  // A follower waits for as long as the app wants to, so the time of its attempts has no limit.
  const own = { heartbeatTimeoutMs, retryTimeoutMs, maxReconnectAttempts, wake, debug };
  const call = createCall({ ...own, reconnectTimeoutMs: Infinity }, {});
  const onAbort = () => call.leave(signal!.reason);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted) onAbort();
  try {
    for (;;) {
      const response = await call.persist('read', () => connect(context, call, lastId));
      const openedAt = Date.now();
      let lost: unknown;
      try {
        for await (const { event, id } of readEvents(response, context, call)) {
          lastId = id;
          call.progress();
          yield followedStream(context, event, id);
        }
      } catch (error) {
        lost = error;
      }
      if (call.signal.aborted) return;
      await call.reconnect(lost, Date.now() - openedAt >= HELD_MS);
    }
  } catch (error) {
    if (!signal?.aborted) throw call.fail(error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    call.end('idle', 'aborted');
  }
}

async function connect(
  { proxy }: FollowContext,
  { signal, target }: Call,
  lastId: string | undefined,
): Promise<Response> {
  const headers = lastId === undefined ? undefined : { [LAST_EVENT_ID]: lastId };
  const response = await proxy.find(signal, { [LIVE]: LIVE_SSE }, headers);
  const { ok, status } = response;
  if (ok && isEventStream(response)) return response;
  if (status === 204 || (ok && response.headers.has('location'))) {
    proxy.release(response);
    throw new DurableStreamError('METHOD_NOT_ALLOWED', 'The proxy cannot follow a name. Update the proxy', {
      status,
      target,
    });
  }
  throw await proxyErrorOf(response, target);
}

/** Reads the events of one connection. Ends it if it is silent for longer than a heartbeat. */
async function* readEvents(
  response: Response,
  { proxy, heartbeatTimeoutMs }: FollowContext,
  call: Call,
): AsyncGenerator<Received, void, undefined> {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  const received: Received[] = [];
  let lastAt = Date.now();
  const parse = createSseParser((name, data, id) => {
    if (name === STREAM_EVENT) received.push({ event: JSON.parse(data) as StreamEvent, id });
  });
  const close = () => {
    void reader.cancel().catch(() => {});
    proxy.release(response);
  };
  const onWake = () => {
    if (Date.now() - lastAt > heartbeatTimeoutMs / 2) close();
  };
  call.listen({ onLeave: close, onWake });
  try {
    for (;;) {
      const timer = setTimeout(close, heartbeatTimeoutMs);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) return;
      lastAt = Date.now();
      parse(decoder.decode(value, { stream: true }));
      yield* received.splice(0);
    }
  } finally {
    close();
  }
}

function followedStream(
  { name, proxy, options, resume }: FollowContext,
  { location, streamId, state, outcome, upstreamContentType }: StreamEvent,
  eventId: string,
): FollowedStream {
  const streamUrl = new URL(location, proxy.url).href;
  return {
    streamId,
    streamUrl,
    state,
    outcome: outcome as Outcome | undefined,
    upstreamContentType,
    eventId,
    async open(init) {
      const response = await resume(name, { ...init, streamId });
      if (response?.streamId === streamId) return response;
      await response?.body?.cancel();
      return null;
    },
    abort: createAbortFn(streamUrl, options.fetch),
  };
}
