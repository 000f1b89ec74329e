import { MalformedAnswerError, ModelError, TruncatedAnswerError } from './errors.ts';
import { foldChunks, type ChatChunk } from './fold-chunks.ts';
import { isError } from './is-error.ts';
import { drainEvents, readJsonEvents } from './json-events.ts';
import { abortReason } from './unless-aborted.ts';

export type { ChatChunk } from './fold-chunks.ts';

export interface ChatChunksOptions {
  /** What `start.messageId` becomes when the backend sends none. The same at every replay of the stream. */
  readonly answerId: string;
  /** False: a `[DONE]` will do as the end, without `finish`. */
  readonly requireFinish: boolean;
  /** Stops reading; the upstream goes on. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called once: when the body was read to its end, was aborted on the server, or failed with this error. An
   * `error` chunk counts as the end (`ModelError`), for it is one to the SDK.
   */
  readonly onEnd?: ((error: Error | undefined) => void) | undefined;
  /** Called with each chunk before the SDK gets it. */
  readonly onChunk?: ((chunk: ChatChunk) => void) | undefined;
  /** Called with the id in a `start` that comes too late to name the message. */
  readonly onLateName?: ((messageId: string) => void) | undefined;
}

const TERMINAL = new Set(['finish', 'abort', 'error']);

/**
 * Turns the body of an AI SDK UI message stream into its chunks, pulled one by one. Sees to what the SDK
 * cannot: a message id that replays share, and an error for an end that is none (the SDK takes any clean
 * end for success).
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
  let isSettled = false;
  let onAbort: (() => void) | undefined;

  const settle = (error: Error | undefined) => {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    if (!isSettled && !left) onEnd?.(error);
    isSettled = true;
  };

  return new ReadableStream<ChatChunk>(
    {
      start(controller) {
        if (!signal) return;
        onAbort = () => {
          left = true;
          settle(undefined);
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
              settle(new ModelError(String(chunk['errorText'])));
            }
            return;
          }
          if (!terminal && (requireFinish || !events.sawDone)) {
            throw new TruncatedAnswerError('The answer ended before its last part.');
          }
          settle(undefined);
          controller.close();
        } catch (cause) {
          if (left) return;
          if (wasAborted(cause)) {
            if (!terminal) controller.enqueue({ type: 'abort' });
            settle(undefined);
            controller.close();
            return;
          }
          const error = asChatError(cause);
          settle(error);
          controller.error(error);
          void events.cancel(error).catch(() => undefined);
        }
      },
      cancel(reason) {
        left = true;
        settle(undefined);
        // The SDK reads nothing after an error. Read to the end, or the answer would count as unfinished and
        // be resumed, its error included.
        if (hasError) return void drainEvents(events);
        return events.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Puts a message id into the first `start`, and a `start` in front of the first chunk if the backend sends it
 * later or not at all. Without, the SDK would begin a message under a random id, and a second one when the id
 * comes. So a later `start` does not name the message any more.
 */
function nameAnswer(answerId: string, onLateName: ((messageId: string) => void) | undefined) {
  let isStarted = false;
  let isOurs = false;
  return (chunk: ChatChunk): readonly ChatChunk[] => {
    if (!isStarted) {
      // A transient chunk makes no message, and neither does an answer that is nothing but its end.
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

/** The end of a body that was stopped on the server, by another or by us: no failure, but no `finish` will come. */
export function wasAborted(error: unknown): boolean {
  return isError(error) && (error.name === 'AbortError' || Reflect.get(error, 'outcome') === 'aborted');
}

/**
 * The SDKs take a TypeError for a short disconnect, keep the partial message and append a later replay to it.
 * By the time an error gets here every attempt to reconnect was made: so it must not be one.
 *
 * An answer that ended too soon has the same error whether the proxy noticed it or this client.
 */
export function asChatError(error: unknown): Error {
  if (isError(error) && Reflect.get(error, 'outcome') === 'truncated')
    return new TruncatedAnswerError(error.message, { cause: error });
  if (isError(error) && error.name !== 'TypeError') return error;
  return new TruncatedAnswerError('The answer was lost on its way.', { cause: error });
}

/** Returns what is left of an answer that was stopped before it began. */
export function abortedAnswer(): ReadableStream<ChatChunk> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue({ type: 'abort' });
      controller.close();
    },
  });
}
