import type { Outcome, OutcomeError } from '../protocol/outcomes.ts';
import type { Call } from './call.ts';
import type { Context } from './context.ts';
import type { Entry } from './credentials.ts';
import { DurableStreamError } from './errors.ts';
import type { Frame } from './reader.ts';
import type { StreamLink } from './stream-link.ts';

/** What stops an answer from its own side. */
export interface Stopper {
  /** Stops the upstream; nobody waits for it. */
  abort(): void;
  /** True once somebody asked to. */
  isAborted: boolean;
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
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let isOpen = !!link.reader;

  /** Resolves with the next frame, from as many connections as necessary. */
  async function next(): Promise<Frame> {
    for (;;) {
      const reader = isOpen ? link.reader! : await link.connect();
      isOpen = true;
      call.dispatch('open');
      let lost: unknown;
      try {
        const frame = await reader.next();
        if (frame) return frame;
      } catch (error) {
        lost = error;
      }
      call.signal.throwIfAborted();
      reader.close();
      isOpen = false;
      if (link.wasPaused()) continue;
      if (!reader.wasAlive()) await call.retry(lost ?? new Error('The connection ended early'));
      else {
        call.progress();
        // A connection that was cut after progress, as service workers and proxies do, is not a failed attempt. A
        // connection that the server ended is opened at once.
        if (lost) await call.rest(lost);
        else call.dispatch('drop');
      }
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
        const outcome = control.upstreamOutcome ?? link.reader?.outcome ?? 'complete';
        link.reader?.close();
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
