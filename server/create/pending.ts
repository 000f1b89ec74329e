import type { Context } from '../context.ts';
import { endOfStoreFailure } from '../pump/verdict.ts';
import { toProxyError } from '../http/render-error.ts';
import type { ProxyError } from '../shared/errors.ts';
import { redact, secretsOfRequest } from '../shared/redact.ts';
import { retry, type Pauses } from '../shared/retry.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { StreamEnd } from '../store/types.ts';
import { headEntries } from '../store/upstream-head.ts';
import { discardBody, readErrorBody, type UpstreamResponse } from '../upstream/client.ts';
import { contentTypeIn } from '../upstream/response-headers.ts';
import { redirectRefused } from './call-upstream.ts';
import type { BeginOptions, CreateContext, PreparedCreate } from './begin-options.ts';
import { emitCreated } from './emit-created.ts';
import type { OpenedPump } from './open-pump.ts';
import { recoverableOf } from './recoverable.ts';

/**
 * Milliseconds for which storing the head is retried if the store is unavailable: as long as Redis appends by
 * default. The upstream may have worked on its response for minutes, so a retry is worthwhile.
 */
const HEAD_STORE_MS = 30_000;
const HEAD_PAUSES: Pauses = [250, 4_000];

/**
 * Calls the upstream of a pending stream (`Prefer: respond-async`). A failure, which another create would return as
 * its error response, closes the stream with the outcome `refused`. Never rejects.
 * @param onRefused called after the stream was closed in this way.
 */
export async function callLater(
  context: CreateContext,
  create: PreparedCreate,
  { pump, start }: OpenedPump,
  onRefused: () => void,
): Promise<void> {
  const { req, request, body, target, abortController, headersTimeoutMs } = create;
  void pump.done.then(({ outcome }) => {
    if (outcome !== 'refused') return;
    onRefused();
    releaseKey(context, create);
  });
  const startedAt = performance.now();
  let response: UpstreamResponse | undefined;
  try {
    const { signal } = abortController;
    const { method } = request;
    response = await context.upstream.request({ ...target, method, body, signal, headersTimeoutMs });
    const headersMs = performance.now() - startedAt;
    const { status } = response;
    if (status >= 300 && status < 400) throw redirectRefused(status);
    if (status >= 200 && status < 300) {
      const recoverable = recoverableOf(context, create, response);
      await storeHead(context, create, response, recoverable);
      emitCreated(context, create, target, headersMs);
      start({ body: response.body, headers: response.headers, recoverable });
      return;
    }
    const bytes = await readErrorBody(response.body, context.options.maxErrorBytes);
    await storeHead(context, create, response);
    context.emit({ type: 'refused', code: 'UPSTREAM_ERROR', status, method: req.method ?? '' });
    pump.refuse(refused('UPSTREAM_ERROR', `The upstream responded ${status}`), bytes);
  } catch (error) {
    if (response) discardBody(response.body);
    // After an abort, a deletion or a shutdown, the stream is closed already.
    if (abortController.signal.aborted) return;
    if (isStoreError(error)) return void pump.stop(endOfStoreFailure(error));
    const failure = toProxyError(error);
    report(context, create, failure);
    pump.refuse(refused(failure.code, failure.message), new Uint8Array(0));
  }
}

/** Releases the key of a refused create for the next one, as after any failed create (IDEM-5). */
function releaseKey(
  { claims, options: { logger } }: Pick<Context, 'claims' | 'options'>,
  { claim, streamId }: BeginOptions,
): void {
  if (claim === undefined) return;
  claims.release(claim, streamId).catch((err: unknown) => {
    logger.warn({ err, streamId }, 'could not release the Idempotency-Key of a refused stream');
  });
}

/** Stores the head of the upstream's response, which readers see before the first byte of its body. */
async function storeHead(
  { store, responseHeaders, recoveries }: Pick<Context, 'store' | 'responseHeaders' | 'recoveries'>,
  { streamId, abortController: { signal } }: BeginOptions,
  { status, headers }: UpstreamResponse,
  recoverable?: Recoverable,
): Promise<void> {
  const contentType = contentTypeIn(headers);
  const head = { status, contentType, headers: responseHeaders(status, headers) };
  const entries = { ...headEntries(head), ...(recoverable && recoveries.entries(recoverable)) };
  await retry(() => inTime(store.annotate!(streamId, entries, 0), CREATE_STORE_MS), {
    pauses: HEAD_PAUSES,
    signal,
    limitMs: HEAD_STORE_MS,
    isTemporary: (error) => isStoreError(error, 'UNAVAILABLE'),
  });
}

function refused(code: string, message: string): StreamEnd {
  return { outcome: 'refused', error: { code, message } };
}

/** Logs and emits the error that another create would have returned as its response. */
function report(
  { options, emit }: Pick<Context, 'options' | 'emit'>,
  { req, streamId }: BeginOptions,
  error: ProxyError,
): void {
  const { code, status } = error;
  const secrets = [...secretsOfRequest(req), ...[options.jwtSecret].flat()];
  const err = redact(error.cause ?? error, secrets);
  options.logger[status >= 500 ? 'error' : 'debug']({ err, code, streamId }, error.message);
  emit({ type: 'refused', code, status, method: req.method ?? '' });
}
