import { MalformedAnswerError, ModelError, TruncatedAnswerError } from './errors.ts';
import { foldChunks, type ChatChunk } from './fold-chunks.ts';
import { isError } from './is-error.ts';
import { drainEvents, readJsonEvents } from './json-events.ts';
import { abortReason } from './race-signal.ts';

export type { ChatChunk } from './fold-chunks.ts';

export interface ChatChunksOptions {
  /** Value of `start.messageId` if the backend sends none. The same in each replay of the stream. */
  readonly answerId: string;
  /** False: `[DONE]` without `finish` counts as the end. */
  readonly requireFinish: boolean;
  /** Stops reading. The upstream continues. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called once: when the body was read to its end, was aborted on the server, or failed with this error. An `error`
   * chunk counts as the end (`ModelError`), because the SDK reads nothing after it.
   */
  readonly onEnd?: ((error: Error | undefined) => void) | undefined;
  /** Called with each chunk before the SDK gets it. */
  readonly onChunk?: ((chunk: ChatChunk) => void) | undefined;
  /** Called with the id in a `start` that arrives after the message got an id. */
  readonly onLateName?: ((messageId: string) => void) | undefined;
}

const TERMINAL = new Set(['finish', 'abort', 'error']);

/**
 * Parses the body of an AI SDK UI message stream into chunks. Adds a message id that replays share, and an error if
 * the body ends without a last event: the SDK takes any clean end for success.
 */
export function chatChunks(
  body: ReadableStream<Uint8Array>,
  { answerId, requireFinish, signal, onEnd, onChunk, onLateName }: ChatChunksOptions,
): ReadableStream<ChatChunk> {
  const events = readJsonEvents(body);
  const folded = foldChunks(events, asChunk);
  const name = nameAnswer(answerId, onLateName);
  let terminal = false;
  let hasError = false;
  let left = false;
  let isFinished = false;
  let onAbort: (() => void) | undefined;

  const finish = (error: Error | undefined) => {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    if (!isFinished && !left) onEnd?.(error);
    isFinished = true;
  };

  return new ReadableStream<ChatChunk>(
    {
      start(controller) {
        if (!signal) return;
        onAbort = () => {
          left = true;
          finish(undefined);
          controller.error(abortReason(signal));
          void events.cancel(signal.reason).catch(() => undefined);
        };
        if (signal.aborted) onAbort();
        else signal.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        try {
          const chunk = await folded.next();
          if (left) return;
          if (chunk) {
            terminal ||= TERMINAL.has(chunk.type);
            for (const named of name(chunk)) {
              onChunk?.(named);
              controller.enqueue(named);
            }
            if (chunk.type === 'error') {
              hasError = true;
              finish(new ModelError(String(chunk['errorText'])));
            }
            return;
          }
          if (!terminal && (requireFinish || !events.sawDone)) {
            throw new TruncatedAnswerError('The answer ended before its last part.');
          }
          finish(undefined);
          controller.close();
        } catch (cause) {
          if (left) return;
          if (wasAborted(cause)) {
            if (!terminal) controller.enqueue({ type: 'abort' });
            finish(undefined);
            controller.close();
            return;
          }
          const error = asChatError(cause);
          finish(error);
          controller.error(error);
          void events.cancel(error).catch(() => undefined);
        }
      },
      cancel(reason) {
        left = true;
        finish(undefined);
        // The SDK reads nothing after an error. If the body is not read to its end, the answer counts as unfinished
        // and is resumed, with its error.
        if (hasError) return void drainEvents(events);
        return events.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Adds a message id to the first `start`, and a `start` before the first chunk if the backend sends it later or not at
 * all. Otherwise the SDK would start a message with a random id, and a second one when the id arrives. The id of a later
 * `start` is removed.
 */
function nameAnswer(answerId: string, onLateName: ((messageId: string) => void) | undefined) {
  let isStarted = false;
  let isOurs = false;
  return (chunk: ChatChunk): readonly ChatChunk[] => {
    if (!isStarted) {
      // A transient chunk does not start a message, and neither does an answer that consists of its end only.
      if (chunk['transient'] === true || TERMINAL.has(chunk.type)) return [chunk];
      isStarted = true;
      if (chunk.type === 'start') return [{ ...chunk, messageId: chunk['messageId'] ?? answerId }];
      isOurs = true;
      return [{ type: 'start', messageId: answerId }, chunk];
    }
    if (chunk.type !== 'start' || !isOurs) return [chunk];
    isOurs = false;
    const { messageId, ...rest } = chunk;
    if (typeof messageId === 'string' && messageId !== answerId) onLateName?.(messageId);
    return [rest];
  };
}

function asChunk(value: unknown): ChatChunk {
  if (typeof value === 'object' && value !== null && typeof Reflect.get(value, 'type') === 'string') {
    return value as ChatChunk;
  }
  throw new MalformedAnswerError('An event of the answer has no type: is this a UI message stream?');
}

/** Returns true for the error of an answer that was stopped on the server. It is not a failure, and has no `finish`. */
export function wasAborted(error: unknown): boolean {
  return isError(error) && (error.name === 'AbortError' || Reflect.get(error, 'outcome') === 'aborted');
}

/**
 * Returns the error that the SDK gets. It is never a `TypeError`: the SDKs take that for a short disconnect, keep the
 * partial message and append a later replay to it, but the client has already made all attempts to reconnect.
 *
 * An incomplete answer has the same error, whether the proxy or this client detected it.
 */
export function asChatError(error: unknown): Error {
  if (isError(error) && Reflect.get(error, 'outcome') === 'truncated')
    return new TruncatedAnswerError(error.message, { cause: error });
  if (isError(error) && error.name !== 'TypeError') return error;
  return new TruncatedAnswerError('The connection to the answer was lost.', { cause: error });
}

/** Returns the chunks of an answer that was stopped before it began. */
export function abortedAnswer(): ReadableStream<ChatChunk> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue({ type: 'abort' });
      controller.close();
    },
  });
}
