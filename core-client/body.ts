import type { ControlEvent } from '../protocol/control.ts';
import { REPORTED_ERROR } from '../protocol/outcomes.ts';
import { once, stop } from './abort.ts';
import type { Call } from './call.ts';
import type { CallContext } from './call-context.ts';
import type { DurableErrorCode } from './error-codes.ts';
import { DurableStreamError } from './errors.ts';
import { freeConnection } from './free-connection.ts';
import { isSuccess } from './head.ts';
import type { RecordHandle } from './request-records.ts';
import type { StreamPart } from './sse-parts.ts';
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
    await stop(call.target, settings.retryTimeoutMs, [send, () => connection.renew().then(send)]).finally(
      resume,
    );
    // A stopped answer is not resumed.
    await record?.finish(connection.id);
    if (call.signal.aborted) call.dispatch('aborted', { outcome: 'aborted' });
  });

  async function ready(): Promise<ControlEvent | undefined> {
    while (!connection.head) {
      first = await connection.next();
      if (first.control.streamClosed) return first.control;
    }
    return undefined;
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    for (;;) {
      const { bytes, control } = first ?? (await connection.next());
      first = undefined;
      const isAnswer = isSuccess(connection.head);
      if (bytes.length > 0) {
        controller.enqueue(bytes);
        if (isAnswer) {
          const receivedBytes = call.resumption.receivedBytes + bytes.length;
          call.dispatch('streaming', {
            offset: control.streamNextOffset,
            receivedBytes,
            attempt: 0,
            error: undefined,
          });
          void record?.save({ offset: control.streamNextOffset });
        }
      }
      if (control.streamClosed) {
        connection.close();
        await record?.finish(connection.id);
        call.signal.throwIfAborted();
        const error = endCall(call, control, isAnswer, isAborted);
        // The error is in the bytes (CLIENT-13).
        if (!error || control.upstreamError?.code === REPORTED_ERROR) return controller.close();
        // An error discards bytes that a pipe has not forwarded yet. Wait one turn of the event loop for it.
        await new Promise((resolve) => setTimeout(resolve));
        throw error;
      }
      if (bytes.length > 0) return;
    }
  }

  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        const onLeave = (reason: unknown) => {
          connection.close();
          controller.error(reason);
          if (settings.abortUpstream) abort().catch(call.warn);
        };
        call.listen({ onLeave });
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
 * Ends a call as its stream has ended.
 * @param isAnswer false for an error response of the upstream.
 * @param isAborted true if this client asked for the stop.
 * @returns the error that the body ends with, undefined if the body is complete.
 */
function endCall(
  call: Call,
  { upstreamOutcome: outcome = 'complete', upstreamError, upstreamUsage: usage }: ControlEvent,
  isAnswer: boolean,
  isAborted: boolean,
): Error | undefined {
  const isStopped = outcome === 'aborted';
  const {
    code = outcome.toUpperCase().replace('-', '_') as DurableErrorCode,
    message = `The answer ended early: ${outcome}`,
  } = (upstreamError ?? {}) as { code?: DurableErrorCode; message?: string };
  // The error response of the upstream is complete too.
  const isComplete = outcome === (isAnswer ? 'complete' : 'refused');
  const error = isComplete
    ? undefined
    : new DurableStreamError(code, message, { outcome, target: call.target });
  const status = isStopped ? outcome : isAnswer && !error ? 'complete' : 'failed';
  if (isStopped && isAborted) {
    call.end(status, outcome, { outcome, usage });
    return new DOMException(message, 'AbortError');
  }
  call.end(status, outcome, { outcome, usage, error });
  return error;
}
