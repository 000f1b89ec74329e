import { createPartParser } from '../../core-client/sse-parts.ts';
import {
  IDEMPOTENCY_REPLAYED,
  STREAM_CLOSED,
  STREAM_NEXT_OFFSET,
  UPSTREAM_OUTCOME,
} from '../../protocol/headers.ts';
import type { AnswerChange, AnswerLog } from './answer-log.ts';
import type { BodyListener, Network } from './network.ts';
import { proxyRequestOf, streamIdIn, type ProxyRequest } from './requests.ts';

/** Statuses of a create after which the client asks again: a new token, a proxy that is busy or restarting. */
const RETRIED = [401, 408, 425, 429];

/**
 * Creates a `fetch` that writes the requests to the proxy to the log, and lets `network` disturb them. Other requests
 * are sent unchanged.
 */
export function observeFetch(send: typeof fetch, log: AnswerLog, network: Network): typeof fetch {
  return async (input, init) => {
    const request = proxyRequestOf(input, init);
    if (!request) return send(input, init);
    const id = log.idOf(request);
    log.change(id, ...sentAs(request, log.get(id)!.attempt));
    try {
      network.check();
      const response = await send(input, init);
      return received(request, id, response);
    } catch (error) {
      lost(id, error);
      throw error;
    }
  };

  function received(request: ProxyRequest, id: number, response: Response): Response {
    const { ok, status, headers, body } = response;
    const streamId = streamIdIn(headers);
    if (streamId !== undefined) log.change(id, { streamId });
    if (!ok) refused(request, id, status);
    else if (request.kind === 'stop') log.change(id, { status: 'aborted' }, 'Stopped');
    else if (request.kind === 'create') {
      const how = headers.has(IDEMPOTENCY_REPLAYED) ? 'existing stream' : 'new stream';
      log.change(id, { attempt: 0 }, `Response ${status}, ${how}`);
    } else log.change(id, { attempt: 0 }, `Connected (${status})`);
    const isStream = ok && body !== null && request.kind !== 'stop';
    if (!isStream) return response;
    const isSse = headers.get('content-type')?.includes('text/event-stream') ?? false;
    if (!isSse && !headers.has(STREAM_NEXT_OFFSET)) return response;
    const wrapped = network.wrap(body, isSse ? sse(id, headers) : poll(id, headers));
    return new Response(wrapped, { status, statusText: response.statusText, headers });
  }

  function refused({ kind }: ProxyRequest, id: number, status: number): void {
    const attempt = log.get(id)!.attempt + 1;
    if (kind === 'read' && (status === 404 || status === 410))
      log.change(id, { status: 'expired' }, `Response ${status}: the stream does not exist`);
    else if (kind === 'create' && status < 500 && !RETRIED.includes(status))
      log.change(id, { status: 'failed' }, `Refused with ${status}`);
    else if (kind === 'stop') log.change(id, {}, `Stop refused with ${status}`);
    else log.change(id, { status: 'reconnecting', attempt }, `Response ${status}, attempt ${attempt} failed`);
  }

  function lost(id: number, error: unknown): void {
    const answer = log.get(id);
    if (!answer || isFinal(answer.status)) return;
    if ((error as Error | undefined)?.name === 'AbortError') return left(id);
    const attempt = answer.attempt + 1;
    log.change(id, { status: 'reconnecting', attempt }, `Connection lost, attempt ${attempt} follows`);
  }

  function left(id: number): void {
    const answer = log.get(id);
    if (answer && !isFinal(answer.status)) log.change(id, { status: 'idle' }, 'Closed by the page');
  }

  /** Follows the offsets and the end of a live read. */
  function sse(id: number, headers: Headers): BodyListener {
    const onChunk = createPartParser(headers, ({ bytes, control }) => {
      progress(id, bytes.length, control.streamNextOffset);
      if (control.streamClosed) closed(id, control.upstreamOutcome);
    });
    return { ...listener(id), onChunk };
  }

  /** Follows one response of a long-poll. */
  function poll(id: number, headers: Headers): BodyListener {
    let bytes = 0;
    return {
      ...listener(id),
      onChunk: (chunk) => void (bytes += chunk.length),
      onEnd() {
        progress(id, bytes, headers.get(STREAM_NEXT_OFFSET)!);
        if (headers.has(STREAM_CLOSED)) closed(id, headers.get(UPSTREAM_OUTCOME) ?? undefined);
      },
    };
  }

  function listener(id: number): Omit<BodyListener, 'onChunk'> {
    return {
      onEnd: () => lost(id, undefined),
      onError: (error) => lost(id, error),
      onCancel: () => left(id),
    };
  }

  function progress(id: number, bytes: number, offset: string): void {
    const answer = log.get(id);
    if (!answer) return;
    const isFirst = answer.status !== 'streaming' && bytes > 0;
    const change = { offset, receivedBytes: answer.receivedBytes + bytes, attempt: 0 };
    if (!isFirst) return log.change(id, change);
    const text = answer.receivedBytes > 0 ? 'Continues' : 'First bytes';
    log.change(id, { ...change, status: 'streaming' }, text);
  }

  function closed(id: number, outcome = 'complete'): void {
    const status = outcome === 'complete' || outcome === 'aborted' ? outcome : 'failed';
    log.change(id, { status }, `Closed: ${outcome}`);
  }
}

/** Returns the change and the entry for a request that is being sent. */
function sentAs({ kind, offset }: ProxyRequest, attempt: number): [AnswerChange, string] {
  if (kind === 'create')
    return [{ status: 'creating' }, attempt > 0 ? 'Asks again, same key' : 'Asks the proxy'];
  if (kind === 'stop') return [{}, 'Asks to stop'];
  // A read from the beginning repeats the bytes that an earlier one has received.
  if (offset === undefined) return [{ status: 'reconnecting', receivedBytes: 0 }, 'Reads from the beginning'];
  return [{ status: 'reconnecting' }, `Reads from offset ${offset}`];
}

function isFinal(status: string): boolean {
  return ['complete', 'aborted', 'failed', 'expired'].includes(status);
}
