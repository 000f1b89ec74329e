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
import { liveRead, type LiveReadContext } from '../read/read-stream.ts';
import { locationHeaders, signedLocation } from '../access/location.ts';
import { isPending } from '../store/metadata.ts';
import { awaitHead, mustAwaitHead, type AwaitContext } from './await-head.ts';
import { beginStream } from './begin.ts';
import type { CreateContext } from './begin-options.ts';
import type { CreatedStream } from './exactly-once.ts';
import { urlChecker } from './prepare.ts';
import { UpstreamFailure } from '../upstream/failure.ts';
import { fingerprintOf, parseCreate, type CreateRequest } from './request.ts';

/** Dependencies of the create handler. */
type HandlerContext = CreateContext &
  AwaitContext &
  LiveReadContext &
  Pick<Context, 'allowlist' | 'exactlyOnce' | 'keyring'>;

/**
 * Handles POST {base}: forwards a request to the upstream and responds with the URL of a stream of the upstream's
 * response.
 */
export function createStream(exchange: Exchange, context: HandlerContext): Promise<void> {
  const { telemetry } = context.options;
  return telemetry
    ? telemetry.create(exchange.req, () => create(exchange, context))
    : create(exchange, context);
}

async function create(exchange: Exchange, context: HandlerContext): Promise<void> {
  const { req, res, caller } = exchange;
  const { allowlist, options, running, exactlyOnce } = context;
  if (running.closing) throw shuttingDown();
  const admission = running.starts.take();
  if (admission) await admission;
  const parsed = parseCreate(req);
  // The store of a pending stream must be able to add the head of the response later.
  const request = context.store.annotate ? parsed : { ...parsed, wantsAsync: false };
  const check = urlChecker({ allowlist, patterns: options.allowlist, caller, logger: options.logger });
  const allowed = check(request.url);
  const subject = caller?.subject;
  const streamId = randomUUID();
  const key = request.idempotencyKey;
  const abortController = new AbortController();
  const slot = running.take(subject, streamId, abortController);
  // With a key, the stream can be found again, so the upstream request continues after the caller disconnects.
  const stopWatching = key === undefined ? abortOnDisconnect(res, abortController) : () => undefined;
  // Once true, `beginStream` releases the slot, because it can outlive this request.
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
        abortController,
        slot,
        headersTimeoutMs: headersTimeoutOf(request, options),
      });
    };
    const { stream: made, replayed } =
      key === undefined
        ? { stream: await begin(), replayed: false }
        : await exactlyOnce.run(
            { subject, key, fingerprint: fingerprintOf(request, body), streamId },
            begin,
            abortController,
          );
    stopWatching();
    if (replayed) context.emit({ type: 'replayed', streamId: made.streamId, subject });
    if (!isStarted) slot.release();
    const mustWait = !request.wantsAsync && mustAwaitHead(made);
    const stream = mustWait ? { ...made, ...(await awaitHead(context, made.streamId, res)) } : made;
    await respondWithStream(exchange, context, { request, stream, replayed });
  } catch (error) {
    // Callers with the same key share the failure, but each has its own preferences.
    if (error instanceof UpstreamFailure && request.wantsUpstreamStatus) throw error.withUpstreamStatus();
    throw error;
  } finally {
    stopWatching();
    if (!isStarted) slot.release();
  }
}

interface CreateResult {
  readonly request: CreateRequest;
  readonly stream: CreatedStream;
  /** True if an earlier create has created the stream. */
  readonly replayed: boolean;
}

async function respondWithStream(
  exchange: Exchange,
  context: LiveReadContext & Pick<Context, 'keyring' | 'running'>,
  { request, stream, replayed }: CreateResult,
): Promise<void> {
  const { wantsAsync, wantsBody, wantsCompactEvents } = request;
  const status = wantsAsync && isPending(stream.metadata) && !stream.end ? 202 : replayed ? 200 : 201;
  const headers = {
    ...(replayed && { [IDEMPOTENCY_REPLAYED]: 'true' }),
    ...(wantsAsync && { [PREFERENCE_APPLIED]: RESPOND_ASYNC }),
  };
  // The stream was created, so a limit on readers withholds the body only (RFC 7240: a preference may be ignored).
  if (!wantsBody || !context.readerSlots.hasRoom(stream.streamId)) {
    const location = locationHeaders(exchange, context, stream);
    respond(exchange.res, status, { ...location, ...headers, 'Content-Length': 0 });
    return;
  }
  await liveRead(context, {
    res: exchange.res,
    streamId: stream.streamId,
    offset: OFFSET_START,
    cursor: undefined,
    isCompact: wantsCompactEvents,
    status,
    // The read adds the headers of the upstream's response: the head may arrive before the read begins.
    headers: {
      Location: signedLocation(exchange, context, stream.streamId),
      ...headers,
      [PREFERENCE_APPLIED]: wantsAsync ? `${RESPOND_ASYNC}, ${RETURN_REPRESENTATION}` : RETURN_REPRESENTATION,
    },
    subject: exchange.caller?.subject,
    expecting: context.running.get(stream.streamId)?.isBehind ?? false,
  });
}

/** Returns the milliseconds within which the upstream's headers must arrive. */
function headersTimeoutOf({ wantsAsync, idempotencyKey }: CreateRequest, options: ResolvedOptions): number {
  if (wantsAsync) return options.upstreamHeadersAsyncTimeoutMs;
  if (idempotencyKey === undefined) return options.upstreamHeadersTimeoutMs;
  return Math.max(options.upstreamHeadersTotalTimeoutMs, options.upstreamHeadersTimeoutMs);
}

/**
 * Aborts `abortController` when the caller disconnects.
 * @returns a function that removes the listener.
 */
function abortOnDisconnect(res: ServerResponse, abortController: AbortController): () => void {
  const onClose = () =>
    abortController.abort(
      new ProxyError('INVALID_REQUEST', 'The caller disconnected before the upstream responded'),
    );
  res.once('close', onClose);
  if (isClosed(res)) onClose();
  return () => void res.off('close', onClose);
}
