import { createParser } from 'eventsource-parser';
import { MalformedAnswerError } from './errors.ts';

/** Marks the end of an answer in the formats of the AI SDKs, after its last event. */
const DONE = '[DONE]';

/**
 * Maximum characters of one event. Large, because a `file` part contains an image as a data URL. Bounded, so that a
 * body that is not SSE cannot fill the memory. A longer event causes a `MalformedAnswerError`.
 */
const MAX_EVENT_CHARS = 64 * 1024 * 1024;

/** Maximum time to read the rest of an answer after a model error, in milliseconds. */
const DRAIN_MS = 5_000;

/** Reads the JSON events of an SSE body one by one. */
export interface JsonEvents {
  /**
   * Resolves with the next event.
   * @throws MalformedAnswerError if an event is not JSON or too long, and the errors of the body.
   */
  next(): Promise<IteratorResult<unknown, undefined>>;
  /** Removes and returns the next parsed event, or `undefined` if none is buffered. Reads nothing from the body. */
  poll(): unknown;
  /** True once `[DONE]` was read. Reading continues to the end of the body. */
  readonly sawDone: boolean;
  /** Cancels the body. */
  cancel(reason?: unknown): Promise<void>;
}

/**
 * Reads an SSE body as JSON events. Drops an incomplete event at the end of the body: the caller detects a truncated
 * answer by its last event.
 */
export function readJsonEvents(body: ReadableStream<Uint8Array>): JsonEvents {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const queue: unknown[] = [];
  /** Position in the queue. `shift()` would copy the rest of the queue, which may be a complete replay, for each event. */
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

/** Reads and discards the rest of an answer, for at most 5 s. Never rejects. */
export async function drainEvents(events: JsonEvents): Promise<void> {
  const timer = setTimeout(() => void events.cancel().catch(() => undefined), DRAIN_MS);
  try {
    while (!(await events.next()).done);
  } catch {
    // The caller has reported the outcome.
  } finally {
    clearTimeout(timer);
  }
}
