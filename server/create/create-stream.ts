import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import {
  IDEMPOTENCY_REPLAYED,
  PREFERENCE_APPLIED,
  RESPOND_ASYNC,
  RETURN_REPRESENTATION,
} from '../../protocol/headers.ts';
import { OFFSET_START } from '../../protocol/query.ts';
import type { Context } from '../context.ts';
import { ProxyError } from '../shared/errors.ts';
import { readBody } from '../http/body.ts';
import type { Exchange } from '../http/exchange.ts';
import { isClosed, respond } from '../http/response.ts';
import type { ResolvedOptions } from '../options/resolve.ts';
import { shuttingDown } from '../pump/running.ts';
import { liveRead } from '../read/read-stream.ts';
import { locationHeaders } from '../access/location.ts';
import { isPending } from '../store/metadata.ts';
import { awaitHead, mustAwaitHead } from './await-head.ts';
import { beginStream } from './begin.ts';
import type { CreatedStream } from './exactly-once.ts';
import { urlChecker } from './prepare.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { fingerprintOf, parseCreate, type CreateRequest } from './request.ts';

/** Handles POST {base}: forwards a request to the upstream and responds with the URL of the stream of its response. */
export function createStream(exchange: Exchange, context: Context): Promise<void> {
  const { telemetry } = context.options;
  return telemetry
    ? telemetry.create(exchange.req, () => create(exchange, context))
    : create(exchange, context);
}

async function create(exchange: Exchange, context: Context): Promise<void> {
  const { req, res, caller } = exchange;
  if (context.running.closing) throw shuttingDown();
  const turn = context.running.turns.take();
  if (turn) await turn;
  const parsed = parseCreate(req);
  // The store of a pending stream must be able to add the head of the response later.
  const request = context.store.annotate ? parsed : { ...parsed, wantsAsync: false };
  const { allowlist, options } = context;
  const check = urlChecker({ allowlist, patterns: options.allowlist, caller, logger: options.logger });
  const allowed = check(request.url);
  const { running, exactlyOnce } = context;
  const subject = caller?.subject;
  const streamId = randomUUID();
  const key = request.idempotencyKey;
  const waiting = new AbortController();
  const slot = running.take(subject, streamId, waiting);
  // With a key, the stream can be found again, so the upstream request continues although the caller has disconnected.
  const stopWatching = key === undefined ? abortOnDisconnect(res, waiting) : () => undefined;
  // From then on, `beginStream` releases the slot, because it can outlive this request.
  let isStarted = false;
  try {
    if (key === undefined) slot.start();
    const body = await readBody(req, {
      maxBytes: options.maxRequestBytes,
      silenceMs: options.upstreamInactivityTimeoutMs,
      totalMs: options.requestBodyTimeoutMs,
    });
    const begin = (claim?: string) => {
      isStarted = true;
      return beginStream(context, {
        req,
        request,
        allowed,
        check,
        body,
        caller,
        base: exchange.base,
        streamId,
        claim,
        waiting,
        slot,
        headersTimeoutMs: headersTimeoutOf(request, options),
      });
    };
    const { begun: made, replayed } =
      key === undefined
        ? { begun: await begin(), replayed: false }
        : await exactlyOnce.run(
            { subject, key, fingerprint: fingerprintOf(request, body), streamId },
            begin,
            waiting,
          );
    stopWatching();
    if (replayed) context.emit({ type: 'replayed', streamId: made.streamId, subject });
    if (!isStarted) slot.release();
    const mustWait = !request.wantsAsync && mustAwaitHead(made);
    const begun = mustWait ? { ...made, ...(await awaitHead(context, made.streamId, res)) } : made;
    await respondWithStream(exchange, context, request, begun, replayed);
  } catch (error) {
    // Callers with the same key share the failure, but each has its own preferences.
    if (error instanceof UpstreamFailure && request.wantsUpstreamStatus) throw error.withUpstreamStatus();
    throw error;
  } finally {
    stopWatching();
    if (!isStarted) slot.release();
  }
}

async function respondWithStream(
  exchange: Exchange,
  context: Context,
  request: CreateRequest,
  begun: CreatedStream,
  replayed: boolean,
): Promise<void> {
  const { wantsAsync, wantsBody } = request;
  const status = wantsAsync && isPending(begun.metadata) && !begun.end ? 202 : replayed ? 200 : 201;
  const headers = {
    ...locationHeaders(exchange, context, begun),
    ...(replayed && { [IDEMPOTENCY_REPLAYED]: 'true' }),
    ...(wantsAsync && { [PREFERENCE_APPLIED]: RESPOND_ASYNC }),
  };
  // The stream was created, so a limit on readers withholds the body only (RFC 7240: a preference may be ignored).
  if (!wantsBody || !context.readerSlots.hasRoom(begun.streamId)) {
    respond(exchange.res, status, { ...headers, 'Content-Length': 0 });
    return;
  }
  await liveRead(context, {
    res: exchange.res,
    streamId: begun.streamId,
    offset: OFFSET_START,
    cursor: undefined,
    status,
    headers: {
      ...headers,
      [PREFERENCE_APPLIED]: wantsAsync ? `${RESPOND_ASYNC}, ${RETURN_REPRESENTATION}` : RETURN_REPRESENTATION,
    },
    subject: exchange.caller?.subject,
    expecting: context.running.get(begun.streamId)?.isBehind ?? false,
  });
}

/** Returns the milliseconds within which the upstream's headers must arrive. */
function headersTimeoutOf({ wantsAsync, idempotencyKey }: CreateRequest, options: ResolvedOptions): number {
  if (wantsAsync) return options.upstreamHeadersAsyncTimeoutMs;
  if (idempotencyKey === undefined) return options.upstreamHeadersTimeoutMs;
  return Math.max(options.upstreamHeadersTotalTimeoutMs, options.upstreamHeadersTimeoutMs);
}

/**
 * Aborts when the caller disconnects.
 * @returns a function that ends this.
 */
function abortOnDisconnect(res: ServerResponse, waiting: AbortController): () => void {
  const onClose = () =>
    waiting.abort(new ProxyError('INVALID_REQUEST', 'The caller disconnected before the upstream responded'));
  res.once('close', onClose);
  if (isClosed(res)) onClose();
  return () => void res.off('close', onClose);
}
