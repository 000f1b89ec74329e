import type { Outcome, OutcomeError } from '../protocol/outcomes.ts';
import type { Call } from './call.ts';
import type { Context } from './context.ts';
import type { Entry } from './credentials.ts';
import { DurableStreamError } from './errors.ts';
import type { Frame, SseReader } from './reader.ts';
import type { StreamLink } from './stream-link.ts';

/** What stops an answer from its own side. */
export interface Stopper {
  /** Stops the upstream; nobody waits for it. */
  abort(): void;
  /** True once somebody asked to. */
  isAborted: boolean;
}

/**
 * The answer's bytes, as a stream that reconnects inside itself. It reads when it is read: what a slow reader
 * does not take stays with the server. It ends once: whole, or with an error after the last byte there is.
 * @param reader the connection that is open already.
 */
export function openBody(
  { call, settings }: Context,
  link: StreamLink,
  stopper: Stopper,
  reader?: SseReader,
  entry?: Entry,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  /** The next frame, from however many connections it takes. */
  async function next(): Promise<Frame> {
    for (;;) {
      reader ??= await link.connect();
      call.dispatch('open');
      let lost: unknown;
      try {
        const frame = await reader.next();
        if (frame) return frame;
      } catch (error) {
        lost = error;
      }
      call.signal.throwIfAborted();
      const wasAlive = reader.wasAlive();
      reader.close();
      reader = undefined;
      if (wasAlive) call.progress();
      // Servers end long reads now and then: no failure, so no wait.
      if (wasAlive && !lost) call.dispatch('drop');
      else await call.retry(lost ?? new Error('The connection ended early'));
    }
  }

  async function pull(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): Promise<void> {
    for (;;) {
      const { bytes, control } = await next();
      call.signal.throwIfAborted();
      link.advance(control);
      const offset = control.streamNextOffset;
      if (bytes.length > 0) {
        controller.enqueue(bytes);
        const receivedBytes = call.resumption.receivedBytes + bytes.length;
        call.dispatch('open', { offset, receivedBytes, attempt: 0, error: undefined });
        void entry?.save({ offset });
      }
      if (control.streamClosed) {
        const outcome = control.upstreamOutcome ?? reader?.outcome ?? 'complete';
        reader?.close();
        await entry?.finish(link.id);
        call.signal.throwIfAborted();
        const error = endOf(call, outcome, control.upstreamError, stopper.isAborted);
        if (!error) return controller.close();
        // An error drops what a reader's pipe still holds of the last bytes: it gets a turn to hand it on.
        await new Promise((resolve) => setTimeout(resolve));
        throw error;
      }
      if (bytes.length > 0) return;
    }
  }

  return new ReadableStream(
    {
      start(controller) {
        call.onWake = () => reader?.check();
        call.opened((reason) => {
          reader?.close();
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
}

/** Ends the call; gives what the body ends with, unless it is whole. */
function endOf(
  call: Call,
  outcome: Outcome,
  told: OutcomeError | undefined,
  isAborted: boolean,
): Error | undefined {
  if (outcome === 'complete') {
    call.end('close', outcome, { outcome });
    return undefined;
  }
  const isStopped = outcome === 'aborted';
  const isOurs = isStopped && isAborted;
  const { code = outcome.toUpperCase().replace('-', '_'), message = `The answer ended early: ${outcome}` } =
    told ?? {};
  const { target } = call;
  const error = isOurs
    ? new DOMException(message, 'AbortError')
    : new DurableStreamError(code, message, { outcome, target });
  call.end(isStopped ? 'stop' : 'fail', outcome, { outcome, error: isOurs ? undefined : error });
  return error;
}
