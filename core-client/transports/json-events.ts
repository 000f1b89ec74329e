import { createParser } from 'eventsource-parser';
import { MalformedAnswerError } from './errors.ts';

/** What ends an answer in the AI SDKs' formats, after its last event. */
const DONE = '[DONE]';

/**
 * Characters of one event. A `file` part carries a picture as a data URL; a body that is no SSE at all must
 * not grow in memory without end. Past it: `MalformedAnswerError`.
 */
const MAX_EVENT_CHARS = 64 * 1024 * 1024;

/** The JSON events of an SSE body, pulled one by one. */
export interface JsonEvents {
  next(): Promise<IteratorResult<unknown, undefined>>;
  /** True once `[DONE]` was read. The body is read on to its end all the same. */
  readonly sawDone: boolean;
  cancel(reason?: unknown): Promise<void>;
}

/** An event cut off at the end of the body is dropped: the caller tells by its last event whether all came. */
export function readJsonEvents(body: ReadableStream<Uint8Array>): JsonEvents {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const queue: unknown[] = [];
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

  return {
    get sawDone() {
      return sawDone;
    },
    async next() {
      for (;;) {
        if (queue.length > 0) return { done: false, value: queue.shift() };
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
