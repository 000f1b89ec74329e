import type { IncomingMessage } from 'node:http';
import { STREAM_KEY } from '../../protocol/headers.ts';
import type { Caller } from '../auth/service.ts';
import type { Context } from '../context.ts';
import { Pump } from '../pump/pump.ts';
import type { Slot } from '../pump/running.ts';
import { toMetadata } from '../store/metadata.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { StoreError } from '../store/types.ts';
import { discardBody, type UpstreamAnswer } from '../upstream/client.ts';
import { callUpstream } from './answer.ts';
import type { Begun } from './exactly-once.ts';
import { prepareTarget, type CheckUrl } from './prepare.ts';
import type { CreateRequest } from './request.ts';

export interface BeginOptions {
  readonly req: IncomingMessage;
  readonly request: CreateRequest;
  readonly allowed: ReturnType<CheckUrl>;
  readonly check: CheckUrl;
  readonly body: Buffer | undefined;
  readonly caller: Caller | undefined;
  readonly streamId: string;
  readonly claim: string | undefined;
  readonly slot: Slot;
  /** Milliseconds until the upstream's headers have to be there. */
  readonly headersTimeoutMs: number;
  /** Cancels the upstream request: the proxy closes, the create was aborted, or nobody waits for it. */
  readonly waiting: AbortController;
}

/**
 * Calls the upstream and makes its answer a stream that runs by itself. Whatever fails on the way, nothing
 * is left: no upstream request, no stream, no place among the running.
 */
export async function beginStream(context: Context, options: BeginOptions): Promise<Begun> {
  const { slot } = options;
  let register: ReturnType<typeof registration> | undefined;
  try {
    slot.start();
    await context.quota.admit(options.caller?.subject);
    options.waiting.signal.throwIfAborted();
    register = registration(context, options);
    const begun = await answered(context, options, register.accepted);
    register.succeed();
    return begun;
  } catch (error) {
    slot.release();
    register?.fail();
    throw error;
  }
}

async function answered(context: Context, begin: BeginOptions, accepted: Promise<void>): Promise<Begun> {
  const { options, store, upstream, presence, emit } = context;
  const { req, request, allowed, check, body, caller, streamId, claim, slot, waiting } = begin;
  const { signal } = waiting;
  const begunAt = performance.now();
  // A store that cannot take the name costs no upstream call, and whoever sees the call finds the stream.
  const [target] = await Promise.all([
    prepareTarget({
      req,
      request,
      headers: context.requestHeaders(req.rawHeaders, request.authorization),
      allowed,
      check,
      prepare: options.prepareUpstream,
      caller,
    }),
    inTime(accepted, CREATE_STORE_MS),
  ]);
  const answer = await callUpstream(
    upstream,
    { ...target, method: request.method, body, signal, headersTimeoutMs: begin.headersTimeoutMs },
    options,
  );
  const contentType = answer.headers['content-type'] ?? '';
  let creation: Promise<boolean> | undefined;
  try {
    creation = store.create(streamId, {
      contentType,
      ttlSeconds: options.streamTtlSeconds,
      metadata: toMetadata({
        owner: presence.id,
        ...(caller?.subject !== undefined && { subject: caller.subject }),
        ...(claim !== undefined && { claim }),
      }),
    });
    const created = await inTime(creation, CREATE_STORE_MS);
    if (!created) throw new StoreError('UNAVAILABLE', `The stream ${streamId} exists already`);
    signal.throwIfAborted();
  } catch (error) {
    discardBody(answer.body);
    // Not awaited: the store may not answer. A create that succeeds late is deleted then.
    const remove = () => store.delete(streamId);
    creation?.then(remove, remove).catch((err: unknown) => {
      options.logger.warn({ err, streamId }, 'could not delete the stream of a failed create; it expires');
    });
    throw error;
  }
  const subject = caller?.subject;
  const headersMs = performance.now() - begunAt;
  slot.occupy(streamId, startPump(context, answer, streamId, subject));
  emit({ type: 'created', streamId, subject, upstream: target.url.origin + target.url.pathname, headersMs });
  return { streamId, contentType };
}

function startPump(
  { options, store, running, quota, emit }: Context,
  answer: UpstreamAnswer,
  streamId: string,
  subject: string | undefined,
): Pump {
  const startedAt = performance.now();
  const meter = quota.open(streamId, subject);
  const pump = new Pump({
    streamId,
    body: answer.body,
    store,
    maxBytes: options.maxResponseBytes,
    meter,
    giveUp: running.gone,
    onFirstByte: () => emit({ type: 'first-byte', streamId, subject, ms: performance.now() - startedAt }),
  });
  void pump.done.then(({ outcome }) => {
    meter.close();
    const durationMs = performance.now() - startedAt;
    emit({ type: 'closed', streamId, subject, outcome, bytes: pump.bytes, durationMs });
    options.logger.info(
      { streamId, outcome, bytes: pump.bytes, durationMs: Math.round(durationMs) },
      'stream closed',
    );
  });
  return pump;
}

/** What is written under the `Stream-Key`, if there is one: at once, and before the upstream is called. */
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
      // Its readers find out by its owner's lease.
      .catch((err: unknown) => logger.warn({ err, streamId }, `could not write under the ${STREAM_KEY}`));
  };
  return { accepted, succeed: () => conclude('answered'), fail: () => conclude('failed') };
}
