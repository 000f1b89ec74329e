import type { ControlEvent } from '../protocol/control.ts';
import { REPORTED_ERROR, type Outcome } from '../protocol/outcomes.ts';
import type { Call } from './call.ts';
import type { Context } from './context.ts';
import type { Entry } from './credentials.ts';
import { DurableStreamError } from './errors.ts';
import { isSuccess } from './head.ts';
import type { Frame } from './reader.ts';
import type { StreamLink } from './stream-link.ts';

/** What stops an answer from its own side. */
export interface Stopper {
  /** Stops the upstream; nobody waits for it. */
  abort(): void;
  /** True once somebody asked to. */
  isAborted: boolean;
}

/** The body of a call. */
export interface Body {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * Resolves when `link.head` is known, or with the last control event of a stream that ended without a head.
   * @throws what the stream throws.
   */
  ready(): Promise<ControlEvent | undefined>;
}

/**
 * Returns the bytes of the answer as a stream that reconnects. It reads from the proxy only when it is read, so a slow
 * reader costs no memory. It ends once: complete, or with an error after the last byte.
 */
export function openBody(
  { call, settings }: Context,
  link: StreamLink,
  stopper: Stopper,
  entry?: Entry,
): Body {
  let isOpen = !!link.reader;
  link.head = link.reader?.head;
  /** The last frame that arrived before the body is read. */
  let first: Frame | undefined;

  /** Resolves with the next frame, from as many connections as necessary. */
  async function next(): Promise<Frame> {
    for (;;) {
      const reader = isOpen ? link.reader! : await link.connect();
      isOpen = true;
      link.head ??= reader.head;
      call.dispatch(isSuccess(link.head) ? 'open' : 'create');
      let lost: unknown;
      try {
        const frame = await reader.next();
        if (frame) {
          link.head ??= frame.control.upstreamHead ?? reader.head;
          link.advance(frame.control);
          return frame;
        }
      } catch (error) {
        lost = error;
      }
      call.signal.throwIfAborted();
      reader.close();
      isOpen = false;
      if (link.wasPaused()) continue;
      if (!reader.wasAlive()) await call.retry(lost ?? new Error('The connection ended'));
      else {
        call.progress();
        // A connection that was cut after progress, as service workers and proxies do, is not a failed attempt. A
        // connection that the server ended is opened at once, unless nothing can have come.
        if (lost || !link.head) await call.rest(lost);
        else call.dispatch('drop');
      }
    }
  }

  async function ready(): Promise<ControlEvent | undefined> {
    while (!link.head) {
      first = await next();
      call.signal.throwIfAborted();
      if (first.control.streamClosed) return first.control;
    }
    return undefined;
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    for (;;) {
      const { bytes, control } = first ?? (await next());
      first = undefined;
      call.signal.throwIfAborted();
      const offset = control.streamNextOffset;
      const isAnswer = isSuccess(link.head);
      if (bytes.length > 0) {
        controller.enqueue(bytes);
        if (isAnswer) {
          const receivedBytes = call.resumption.receivedBytes + bytes.length;
          call.dispatch('open', { offset, receivedBytes, attempt: 0, error: undefined });
          void entry?.save({ offset });
        }
      }
      if (control.streamClosed) {
        const outcome = control.upstreamOutcome ?? 'complete';
        link.reader?.close();
        await entry?.finish(link.id);
        call.signal.throwIfAborted();
        // The error response of the upstream is whole too.
        if (outcome === (isAnswer ? 'complete' : 'refused')) {
          call.end(isAnswer ? 'close' : 'fail', outcome, { outcome, usage: control.upstreamUsage });
          return controller.close();
        }
        const error = endOf(call, outcome, control, stopper.isAborted);
        // The error is in the bytes (CLIENT-13).
        if (control.upstreamError?.code === REPORTED_ERROR) return controller.close();
        // An error drops what a reader's pipe still holds of the last bytes: it gets a turn to hand it on.
        await new Promise((resolve) => setTimeout(resolve));
        throw error;
      }
      if (bytes.length > 0) return;
    }
  }

  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        call.onWake = () => link.reader?.check();
        call.opened((reason) => {
          link.reader?.close();
          controller.error(reason);
          if (settings.abortUpstream) stopper.abort();
        });
      },
      async pull(controller) {
        try {
          await pull(controller);
        } catch (error) {
          throw call.fail(error);
        }
      },
      cancel: (reason) => call.stop(reason),
    },
    { highWaterMark: 0 },
  );
  return { stream, ready };
}

/** Ends a call whose answer is not whole. Returns the error that the body ends with. */
function endOf(
  call: Call,
  outcome: Outcome,
  { upstreamError: told, upstreamUsage: usage }: ControlEvent,
  isAborted: boolean,
): Error {
  const isStopped = outcome === 'aborted';
  const isOurs = isStopped && isAborted;
  const { code = outcome.toUpperCase().replace('-', '_'), message = `The answer ended early: ${outcome}` } =
    told ?? {};
  const { target } = call;
  const error = isOurs
    ? new DOMException(message, 'AbortError')
    : new DurableStreamError(code, message, { outcome, target });
  call.end(isStopped ? 'stop' : 'fail', outcome, { outcome, usage, error: isOurs ? undefined : error });
  return error;
}
