import { createParser } from 'eventsource-parser';
import { MalformedAnswerError } from './errors.ts';

/** What ends an answer in the AI SDKs' formats, after its last event. */
const DONE = '[DONE]';

/**
 * Characters of one event. A `file` part carries a picture as a data URL; a body that is no SSE at all must
 * not grow in memory without end. Past it: `MalformedAnswerError`.
 */
const MAX_EVENT_CHARS = 64 * 1024 * 1024;

/** Milliseconds that the rest of an answer is read after an error of the model, for its end. */
const DRAIN_MS = 5_000;

/** The JSON events of an SSE body, pulled one by one. */
export interface JsonEvents {
  next(): Promise<IteratorResult<unknown, undefined>>;
  /** Removes and returns the next event that is parsed already; `undefined` if there is none. Reads nothing. */
  poll(): unknown;
  /** True once `[DONE]` was read. The body is read on to its end all the same. */
  readonly sawDone: boolean;
  cancel(reason?: unknown): Promise<void>;
}

/** An event cut off at the end of the body is dropped: the caller tells by its last event whether all came. */
export function readJsonEvents(body: ReadableStream<Uint8Array>): JsonEvents {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const queue: unknown[] = [];
  /** Position in the queue. `shift()` on a queue of a whole replay would copy it for each event. */
  let at = 0;
  let sawDone = false;
  let failure: MalformedAnswerError | undefined;

  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent({ data }) {
      if (sawDone || failure) return;
      if (data === DONE) {
        sawDone = true;
        return;
      }
      try {
        queue.push(JSON.parse(data));
      } catch (cause) {
        failure = new MalformedAnswerError('An event of the answer is not JSON.', { cause });
      }
    },
    onError(cause) {
      if (cause.type === 'max-buffer-size-exceeded') {
        failure = new MalformedAnswerError(`An event of the answer is longer than ${MAX_EVENT_CHARS}.`, {
          cause,
        });
      }
    },
  });

  const poll = (): unknown => {
    if (at < queue.length) return queue[at++];
    queue.length = 0;
    at = 0;
    return undefined;
  };

  return {
    get sawDone() {
      return sawDone;
    },
    poll,
    async next() {
      for (;;) {
        const event = poll();
        if (event !== undefined) return { done: false, value: event };
        if (failure) {
          await reader.cancel(failure).catch(() => undefined);
          throw failure;
        }
        const { done, value } = await reader.read();
        if (done) return { done: true, value: undefined };
        parser.feed(decoder.decode(value, { stream: true }));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  };
}

/** Reads the rest of an answer, for at most 5 s. Never rejects. */
export async function drainEvents(events: JsonEvents): Promise<void> {
  const timer = setTimeout(() => void events.cancel().catch(() => undefined), DRAIN_MS);
  try {
    while (!(await events.next()).done);
  } catch {
    // How it ends is known already.
  } finally {
    clearTimeout(timer);
  }
}
