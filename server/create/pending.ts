import type { Context } from '../context.ts';
import { lostStore } from '../pump/pump.ts';
import { toProxyError } from '../http/render-error.ts';
import type { ProxyError } from '../shared/errors.ts';
import { redact, secretsOfRequest } from '../shared/redact.ts';
import { retry, type Pauses } from '../shared/retry.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { StoreError, type StreamEnd } from '../store/types.ts';
import { headEntries } from '../store/upstream-head.ts';
import { discardBody, readErrorBody, type UpstreamAnswer } from '../upstream/client.ts';
import { contentTypeIn } from '../upstream/response-headers.ts';
import { redirectRefused } from './call-upstream.ts';
import type { BeginOptions } from './begin-options.ts';
import type { CreatedStream } from './exactly-once.ts';
import { openPump, type OpenedPump } from './open-pump.ts';
import { loggableTarget, type UpstreamTarget } from './prepare.ts';
import { recoverableOf } from './recoverable.ts';
import { storeStream } from './store-stream.ts';

/**
 * Milliseconds for which storing the head is retried if the store is unavailable: as long as Redis appends by default.
 * The upstream has already worked on its response, perhaps for minutes.
 */
const HEAD_STORE_MS = 30_000;
const HEAD_PAUSES: Pauses = [250, 4_000];

/**
 * Creates the stream, then calls the upstream in the background (`Prefer: respond-async`). A failure, which would be
 * the error response of another create, closes the stream with the outcome `refused`.
 * @param onRefused called after the stream was closed in this way.
 * @throws StoreError; the reason of `begin.waiting`. In these cases no upstream was called and all resources are
 * released.
 */
export async function beginPending(
  context: Context,
  begin: BeginOptions,
  target: UpstreamTarget,
  onRefused: () => void,
): Promise<CreatedStream> {
  const { caller, streamId, claim, slot, waiting } = begin;
  const subject = caller?.subject;
  const stored = { begin, contentType: '', metadata: { pending: '1' } };
  const begun = await storeStream(context, stored, waiting.signal);
  const onEnd = () => waiting.abort();
  const opened = openPump(context, { streamId, subject, metadata: begun.metadata, onEnd });
  slot.occupy(streamId, opened.pump);
  void opened.pump.done.then(({ outcome }) => {
    if (outcome !== 'refused') return;
    onRefused();
    // As after any failed create, the key is released for the next one (IDEM-5).
    if (claim === undefined) return;
    context.claims.forget(claim, streamId).catch((err: unknown) => {
      context.options.logger.warn(
        { err, streamId },
        'could not release the Idempotency-Key of a refused stream',
      );
    });
  });
  void callLater(context, begin, target, opened);
  return begun;
}

/** Calls the upstream. Never rejects. */
async function callLater(
  context: Context,
  begin: BeginOptions,
  target: UpstreamTarget,
  { pump, answered }: OpenedPump,
): Promise<void> {
  const { request, body, waiting, headersTimeoutMs } = begin;
  const begunAt = performance.now();
  let answer: UpstreamAnswer | undefined;
  try {
    const { signal } = waiting;
    const { method } = request;
    answer = await context.upstream.request({ ...target, method, body, signal, headersTimeoutMs });
    const headersMs = performance.now() - begunAt;
    const { status } = answer;
    if (status >= 300 && status < 400) throw redirectRefused(status);
    if (status >= 200 && status < 300) {
      const recoverable = recoverableOf(context, begin, answer);
      await storeHead(context, begin, answer, recoverable);
      const { streamId, caller } = begin;
      const upstream = loggableTarget(target);
      context.emit({ type: 'created', streamId, subject: caller?.subject, upstream, headersMs });
      answered({ body: answer.body, headers: answer.headers, recoverable });
      return;
    }
    const bytes = await readErrorBody(answer.body, context.options.maxErrorBytes);
    await storeHead(context, begin, answer);
    context.emit({ type: 'refused', code: 'UPSTREAM_ERROR', status, method: begin.req.method ?? '' });
    pump.refuse(refused('UPSTREAM_ERROR', `The upstream responded ${status}`), bytes);
  } catch (error) {
    if (answer) discardBody(answer.body);
    // Aborted, deleted or shut down: the stream is closed already.
    if (waiting.signal.aborted) return;
    if (error instanceof StoreError) return void pump.stop(lostStore(error));
    const failure = toProxyError(error);
    report(context, begin, failure);
    pump.refuse(refused(failure.code, failure.message), new Uint8Array(0));
  }
}

/** Stores the head of the upstream's response, which readers see before the first byte of its body. */
async function storeHead(
  { store, responseHeaders, recoveries }: Context,
  { streamId, waiting: { signal } }: BeginOptions,
  { status, headers }: UpstreamAnswer,
  recoverable?: Recoverable,
): Promise<void> {
  const contentType = contentTypeIn(headers);
  const head = { status, contentType, headers: responseHeaders(status, headers) };
  const entries = { ...headEntries(head), ...(recoverable && recoveries.entries(recoverable)) };
  await retry(() => inTime(store.annotate!(streamId, entries, 0), CREATE_STORE_MS), {
    pauses: HEAD_PAUSES,
    signal,
    limitMs: HEAD_STORE_MS,
    isTemporary: (error) => error instanceof StoreError && error.code === 'UNAVAILABLE',
  });
}

function refused(code: string, message: string): StreamEnd {
  return { outcome: 'refused', error: { code, message } };
}

/** Emits the error that would have been the response to another create. */
function report({ options, emit }: Context, { req, streamId }: BeginOptions, error: ProxyError): void {
  const { code, status } = error;
  const secrets = [...secretsOfRequest(req), ...[options.jwtSecret].flat()];
  const err = redact(error.cause ?? error, secrets);
  options.logger[status >= 500 ? 'error' : 'debug']({ err, code, streamId }, error.message);
  emit({ type: 'refused', code, status, method: req.method ?? '' });
}
