import { isDurableNetworkError } from '../errors.ts';
import type { DurableResponse } from '../types.ts';
import { asChatError, wasAborted } from './chat-chunks.ts';
import { AnswerRequestError, MalformedAnswerError, TruncatedAnswerError } from './errors.ts';
import { drainEvents, readJsonEvents } from './json-events.ts';
import { raceSignal } from './race-signal.ts';
import { markResumed } from './was-resumed.ts';

const RUN_EVENTS: ReadonlySet<string> = new Set(['RUN_STARTED', 'RUN_FINISHED', 'RUN_ERROR']);

/**
 * Starts the run at the first `next()`, as TanStack's own adapters do. Ends without an error if the signal is aborted.
 *
 * @param onOver called when the run is over, immediately at its `RUN_ERROR` (`hasFailed`), or when the request was
 * refused.
 */
export function runEvents(
  open: () => Promise<DurableResponse | null>,
  signal: AbortSignal | undefined,
  onOver: (hasFailed: boolean, refused?: Error) => void,
): AsyncIterable<unknown> {
  const iterable = {
    async *[Symbol.asyncIterator]() {
      const opening = open();
      let reading: ReturnType<typeof readJsonEvents> | undefined;
      let last: string | undefined;
      let refused: Error | undefined;
      const leave = () => void reading?.cancel().catch(() => undefined);
      try {
        const response = await raceSignal(opening, signal);
        if (!response) throw new AnswerRequestError('The run is unknown.', 404);
        if (!response.ok || !response.body) {
          refused = AnswerRequestError.of(response, await response.text());
          throw refused;
        }
        markResumed(iterable, response.wasResumed);
        reading = readJsonEvents(response.body);
        signal?.addEventListener('abort', leave, { once: true });
        for await (const event of untilTerminal(reading, signal)) {
          if (RUN_EVENTS.has(event.type)) last = event.type;
          if (last === 'RUN_ERROR') onOver(true);
          yield event;
        }
        if (!signal?.aborted) onOver(last === 'RUN_ERROR');
      } catch (cause) {
        if (!signal?.aborted && !isDurableNetworkError(cause)) onOver(false, refused);
        if (signal?.aborted) void opening.then((late) => late?.body?.cancel()).catch(() => undefined);
        else if (!wasAborted(cause)) throw asChatError(cause);
      } finally {
        signal?.removeEventListener('abort', leave);
        // The reader may stop at the error. If the body is not read to its end, the run counts as unfinished.
        if (reading && last === 'RUN_ERROR' && !signal?.aborted) void drainEvents(reading);
        else leave();
      }
    },
  };
  return iterable;
}

/** Yields the events of a run. @throws TruncatedAnswerError if the body ends before the run's last event. */
async function* untilTerminal(
  reading: ReturnType<typeof readJsonEvents>,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly type: string }> {
  // An agent loop may finish one run and start the next in the same stream. The last run decides.
  let finished = false;
  for (;;) {
    const next = await reading.next();
    if (signal?.aborted) return;
    if (next.done) break;
    const event = next.value as { readonly type?: unknown } | null;
    if (typeof event?.type !== 'string') throw new MalformedAnswerError('An event of the run has no type.');
    if (event.type === 'RUN_STARTED') finished = false;
    if (event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR') finished = true;
    yield event as { readonly type: string };
  }
  if (!finished) throw new TruncatedAnswerError('The run ended before its last event.');
}
