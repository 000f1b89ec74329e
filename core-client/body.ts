import type { ControlEvent } from '../protocol/control.ts';
import { REPORTED_ERROR, type Outcome } from '../protocol/outcomes.ts';
import { abortStream, once } from './abort.ts';
import type { Call } from './call.ts';
import type { CallContext } from './call-context.ts';
import type { DurableErrorCode } from './error-codes.ts';
import { DurableStreamError } from './errors.ts';
import { freeConnection } from './free-connection.ts';
import { isSuccess } from './head.ts';
import type { RecordHandle } from './request-records.ts';
import type { StreamPart } from './sse-reader.ts';
import type { StreamConnection } from './stream-connection.ts';

/** The body of a Response: the bytes of a stream, over as many connections as necessary. */
export interface DurableBody {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Resolves when `connection.head` is known, or with the last control event of a stream that ended without a head.
   * @throws what the stream throws.
   */
  ready(): Promise<ControlEvent | undefined>;
  /** Stops the upstream. See `DurableResponse.abort`. */
  abort(): Promise<void>;
}

/**
 * Creates the body of a stream. It reads from the proxy only when it is read, so a slow reader costs no memory. It ends
 * once: complete, or with an error after the last byte.
 */
export function createBody(
  { call, settings, proxy, memory }: CallContext,
  connection: StreamConnection,
  record?: RecordHandle,
): DurableBody {
  /** The last part that arrived before the body is read. */
  let first: StreamPart | undefined;
  let isAborted = false;

  const abort = once(async () => {
    isAborted = true;
    // Browsers queue the request if all connections to the origin are in use, perhaps by reads.
    const resume = freeConnection(connection, memory.reads);
    const send = () => proxy.abort(connection.url);
    await abortStream(send, call.target, connection.renew, settings.retryTimeoutMs).finally(resume);
    // A stopped answer is not resumed.
    await record?.finish(connection.id);
    if (call.signal.aborted) call.dispatch('stop', { outcome: 'aborted' });
  });

  async function ready(): Promise<ControlEvent | undefined> {
    while (!connection.head) {
      first = await connection.next();
      call.signal.throwIfAborted();
      if (first.control.streamClosed) return first.control;
    }
    return undefined;
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    for (;;) {
      const { bytes, control } = first ?? (await connection.next());
      first = undefined;
      call.signal.throwIfAborted();
      const offset = control.streamNextOffset;
      const isAnswer = isSuccess(connection.head);
      if (bytes.length > 0) {
        controller.enqueue(bytes);
        if (isAnswer) {
          const receivedBytes = call.resumption.receivedBytes + bytes.length;
          call.dispatch('open', { offset, receivedBytes, attempt: 0, error: undefined });
          void record?.save({ offset });
        }
      }
      if (control.streamClosed) {
        const outcome = control.upstreamOutcome ?? 'complete';
        connection.close();
        await record?.finish(connection.id);
        call.signal.throwIfAborted();
        // The error response of the upstream is complete too.
        if (outcome === (isAnswer ? 'complete' : 'refused')) {
          call.end(isAnswer ? 'close' : 'fail', outcome, { outcome, usage: control.upstreamUsage });
          return controller.close();
        }
        const error = endIncomplete(call, outcome, control, isAborted);
        // The error is in the bytes (CLIENT-13).
        if (control.upstreamError?.code === REPORTED_ERROR) return controller.close();
        // An error discards bytes that a pipe has not passed on yet. Give it a turn of the event loop.
        await new Promise((resolve) => setTimeout(resolve));
        throw error;
      }
      if (bytes.length > 0) return;
    }
  }

  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        call.onLeave((reason) => {
          connection.close();
          controller.error(reason);
          if (settings.abortUpstream) abort().catch(call.warn);
        });
      },
      async pull(controller) {
        try {
          await pull(controller);
        } catch (error) {
          throw call.fail(error);
        }
      },
      cancel: (reason) => call.leave(reason),
    },
    { highWaterMark: 0 },
  );
  return { stream, ready, abort };
}

/**
 * Ends a call whose answer is incomplete.
 * @param isAborted true if this client asked for the stop.
 * @returns the error that the body ends with.
 */
function endIncomplete(
  call: Call,
  outcome: Outcome,
  { upstreamError, upstreamUsage: usage }: ControlEvent,
  isAborted: boolean,
): Error {
  const isStopped = outcome === 'aborted';
  const isOurs = isStopped && isAborted;
  const { code = outcome.toUpperCase().replace('-', '_'), message = `The answer ended early: ${outcome}` } =
    upstreamError ?? {};
  const error = isOurs
    ? new DOMException(message, 'AbortError')
    : new DurableStreamError(code as DurableErrorCode, message, { outcome, target: call.target });
  call.end(isStopped ? 'stop' : 'fail', outcome, { outcome, usage, error: isOurs ? undefined : error });
  return error;
}
