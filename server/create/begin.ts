import { STREAM_KEY } from '../../protocol/headers.ts';
import type { Context } from '../context.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { headEntries } from '../store/upstream-head.ts';
import { discardBody } from '../upstream/client.ts';
import { contentTypeIn } from '../upstream/response-headers.ts';
import { callUpstream } from './call-upstream.ts';
import type { BeginOptions } from './begin-options.ts';
import type { CreatedStream } from './exactly-once.ts';
import { openPump } from './open-pump.ts';
import { beginPending } from './pending.ts';
import { loggableTarget, prepareTarget, type UpstreamTarget } from './prepare.ts';
import { recoverableOf } from './recoverable.ts';
import { storeStream } from './store-stream.ts';

/**
 * Calls the upstream and creates a stream of its response, which runs independently of the request. After a failure,
 * all resources are released: the upstream request, the stream and the slot.
 */
export async function beginStream(context: Context, options: BeginOptions): Promise<CreatedStream> {
  const { slot } = options;
  let register: ReturnType<typeof registration> | undefined;
  try {
    slot.start();
    await context.quota.admit(options.caller?.subject);
    options.waiting.signal.throwIfAborted();
    register = registration(context, options);
    const target = await prepared(context, options, register.accepted);
    const begun = options.request.wantsAsync
      ? await beginPending(context, options, target, register.fail)
      : await answered(context, options, target);
    register.succeed();
    return begun;
  } catch (error) {
    slot.release();
    register?.fail();
    if (context.options.webhook) disown(context, options.streamId);
    throw error;
  }
}

/**
 * Returns the upstream request after the store has registered the name, so that the stream can be found as soon as the
 * upstream is called.
 */
async function prepared(
  context: Context,
  { req, request, allowed, check, caller, streamId }: BeginOptions,
  accepted: Promise<void>,
): Promise<UpstreamTarget> {
  const headers = context.requestHeaders(req.rawHeaders, request.authorization);
  const prepare = context.options.prepareUpstream;
  const [target] = await Promise.all([
    prepareTarget({
      purpose: 'create',
      req,
      method: request.method,
      headers,
      allowed,
      check,
      prepare,
      subject: caller?.subject,
    }),
    inTime(accepted, CREATE_STORE_MS),
    context.options.webhook && inTime(context.processes.own(streamId), CREATE_STORE_MS),
  ]);
  return target;
}

function disown({ processes, options: { logger } }: Context, streamId: string): void {
  processes.disown(streamId).catch((err: unknown) => {
    logger.warn({ err, streamId }, 'could not note that a create has failed');
  });
}

/** Calls the upstream, then creates the stream of its response. */
async function answered(
  context: Context,
  begin: BeginOptions,
  target: UpstreamTarget,
): Promise<CreatedStream> {
  const { options, upstream } = context;
  const { request, body, streamId, slot, waiting } = begin;
  const subject = begin.caller?.subject;
  const { signal } = waiting;
  const begunAt = performance.now();
  const answer = await callUpstream(
    upstream,
    { ...target, method: request.method, body, signal, headersTimeoutMs: begin.headersTimeoutMs },
    options,
  );
  let begun: CreatedStream;
  let recoverable: Recoverable | undefined;
  try {
    const { status, headers } = answer;
    const contentType = contentTypeIn(headers);
    const head = { status, contentType, headers: context.responseHeaders(status, headers) };
    recoverable = recoverableOf(context, begin, answer);
    const metadata = { ...headEntries(head), ...(recoverable && context.recoveries.entries(recoverable)) };
    const stored = { begin, contentType, metadata };
    begun = await storeStream(context, stored, signal);
  } catch (error) {
    discardBody(answer.body);
    throw error;
  }
  const { pump, answered } = openPump(context, { streamId, subject, metadata: begun.metadata });
  slot.occupy(streamId, pump);
  const headersMs = performance.now() - begunAt;
  context.emit({ type: 'created', streamId, subject, upstream: loggableTarget(target), headersMs });
  answered({ body: answer.body, headers: answer.headers, recoverable });
  return begun;
}

/** Registers the create under its `Stream-Key`, if it has one, before the upstream is called. */
function registration(
  { streamKeys, options: { logger } }: Context,
  { request, caller, streamId }: BeginOptions,
) {
  const name = request.streamKey;
  if (name === undefined)
    return { accepted: Promise.resolve(), succeed: () => undefined, fail: () => undefined };
  const subject = caller?.subject;
  const accepted = streamKeys.accepted(subject, name, streamId);
  const conclude = (verdict: 'answered' | 'failed') => {
    void accepted
      .then(() => streamKeys[verdict](subject, name, streamId))
      // Readers notice the failure by the lease of the owner.
      .catch((err: unknown) => logger.warn({ err, streamId }, `could not write under the ${STREAM_KEY}`));
  };
  return { accepted, succeed: () => conclude('answered'), fail: () => conclude('failed') };
}
