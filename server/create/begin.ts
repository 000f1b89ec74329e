import { STREAM_KEY } from '../../protocol/headers.ts';
import type { Context } from '../context.ts';
import { UndoStack } from '../shared/undo-stack.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { headEntries } from '../store/upstream-head.ts';
import { discardBody } from '../upstream/client.ts';
import { contentTypeIn } from '../upstream/response-headers.ts';
import type { BeginOptions, CreateContext } from './begin-options.ts';
import { callUpstream } from './call-upstream.ts';
import { emitCreated } from './emit-created.ts';
import type { CreatedStream } from './exactly-once.ts';
import { openPump } from './open-pump.ts';
import { callLater } from './pending.ts';
import { prepareTarget, type UpstreamTarget } from './prepare.ts';
import { recoverableOf } from './recoverable.ts';
import { storeStream } from './store-stream.ts';

/**
 * Calls the upstream and creates a stream from its response, which runs independently of the request. The steps have
 * the order that docs/PROTOCOL.md specifies for a create. If one fails, the steps before it are undone: no upstream
 * request, no stream and no slot remains.
 */
export async function beginStream(context: CreateContext, begin: BeginOptions): Promise<CreatedStream> {
  const { options, quota, recoveries } = context;
  const { request, body, caller, streamId, slot, abortController, headersTimeoutMs } = begin;
  const { signal } = abortController;
  const subject = caller?.subject;
  const undo = new UndoStack();
  undo.push(() => slot.release());
  try {
    // Check the limits on running streams and on stored bytes.
    slot.start();
    await quota.admit(subject);
    signal.throwIfAborted();

    // From here on, other processes can find the create: by its `Stream-Key`, and by this process if it dies.
    const name = registerName(context, begin);
    undo.push(() => name.fail());
    if (options.webhook) undo.push(() => disown(context, streamId));
    const [target] = await Promise.all([
      prepare(context, begin),
      inTime(name.accepted, CREATE_STORE_MS),
      options.webhook && inTime(context.processes.own(streamId), CREATE_STORE_MS),
    ]);

    if (request.wantsAsync) {
      // The stream exists before the upstream is called. A failure of the upstream closes it.
      const stored = { begin, contentType: '', metadata: { pending: '1' } };
      const created = await storeStream(context, stored, undo);
      // An abort that arrives later finds the pump.
      signal.throwIfAborted();
      const onEnd = () => abortController.abort();
      const opened = openPump(context, { streamId, subject, metadata: created.metadata, onEnd });
      slot.occupy(streamId, opened.pump);
      undo.clear();
      name.succeed();
      void callLater(context, { ...begin, target }, opened, () => name.fail());
      return created;
    }

    const startedAt = performance.now();
    const sent = { ...target, method: request.method, body, signal, headersTimeoutMs };
    const response = await callUpstream(context.upstream, sent, options);
    undo.push(() => discardBody(response.body));

    const { status, headers } = response;
    const contentType = contentTypeIn(headers);
    const head = { status, contentType, headers: context.responseHeaders(status, headers) };
    const recoverable = recoverableOf(context, begin, response);
    const metadata = { ...headEntries(head), ...(recoverable && recoveries.entries(recoverable)) };
    const created = await storeStream(context, { begin, contentType, metadata }, undo);
    signal.throwIfAborted();

    const { pump, start } = openPump(context, { streamId, subject, metadata: created.metadata });
    slot.occupy(streamId, pump);
    undo.clear();
    const headersMs = performance.now() - startedAt;
    emitCreated(context, begin, target, headersMs);
    start({ body: response.body, headers, recoverable });
    name.succeed();
    return created;
  } catch (error) {
    undo.run();
    throw error;
  }
}

/** Returns the upstream request after `prepareUpstream` has changed it. */
function prepare(
  { options, requestHeaders }: Pick<Context, 'options' | 'requestHeaders'>,
  { req, request, allowed, check, caller }: BeginOptions,
): Promise<UpstreamTarget> {
  return prepareTarget({
    purpose: 'create',
    req,
    method: request.method,
    headers: requestHeaders(req.rawHeaders, request.authorization),
    allowed,
    check,
    prepare: options.prepareUpstream,
    subject: caller?.subject,
  });
}

function disown(
  { processes, options: { logger } }: Pick<Context, 'processes' | 'options'>,
  streamId: string,
): void {
  processes.disown(streamId).catch((err: unknown) => {
    logger.warn({ err, streamId }, 'could not remove a failed create from the streams of this process');
  });
}

/** Registers the create under its `Stream-Key`, if it has one, before the upstream is called. */
function registerName(
  { streamKeys, options: { logger } }: Pick<Context, 'streamKeys' | 'options'>,
  { request, caller, streamId }: BeginOptions,
) {
  const name = request.streamKey;
  if (name === undefined)
    return { accepted: Promise.resolve(), succeed: () => undefined, fail: () => undefined };
  const subject = caller?.subject;
  const accepted = streamKeys.accepted(subject, name, streamId);
  const conclude = (result: 'answered' | 'failed') => {
    void accepted
      .then(() => streamKeys[result](subject, name, streamId))
      // Readers then detect the failure when the lease of this process ends.
      .catch((err: unknown) =>
        logger.warn({ err, streamId }, `could not store the result of a create with a ${STREAM_KEY}`),
      );
  };
  return { accepted, succeed: () => conclude('answered'), fail: () => conclude('failed') };
}
