import { MalformedAnswerError, TruncatedAnswerError } from './errors.ts';
import { isError } from './is-error.ts';
import { readJsonEvents } from './json-events.ts';
import { abortReason } from './unless-aborted.ts';

/** A `UIMessageChunk` of any major of `ai`. Types that we do not know pass through. */
export interface ChatChunk {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface ChatChunksOptions {
  /** What `start.messageId` becomes when the backend sends none. The same at every replay of the stream. */
  readonly answerId: string;
  /** False: a `[DONE]` will do as the end, without `finish`. */
  readonly requireFinish: boolean;
  /** Stops reading; the upstream goes on. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the body was read to its end: whole, aborted on the server, or with this error. */
  readonly onEnd?: ((error: Error | undefined) => void) | undefined;
}

const TERMINAL = new Set(['finish', 'abort', 'error']);

/**
 * Turns the body of an AI SDK UI message stream into its chunks, pulled one by one. Sees to what the SDK
 * cannot: a message id that replays share, and an error for an end that is none (the SDK takes any clean
 * end for success).
 */
export function chatChunks(
  body: ReadableStream<Uint8Array>,
  { answerId, requireFinish, signal, onEnd }: ChatChunksOptions,
): ReadableStream<ChatChunk> {
  const events = readJsonEvents(body);
  const named = nameAnswer(answerId);
  let terminal = false;
  let left = false;
  let onAbort: (() => void) | undefined;

  const settle = (error: Error | undefined) => {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    if (!left) onEnd?.(error);
    left = true;
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
        const emit = (chunks: readonly ChatChunk[]) => {
          for (const chunk of chunks) controller.enqueue(chunk);
          return chunks.length > 0;
        };
        try {
          for (;;) {
            const next = await events.next();
            if (left) return;
            if (next.done) break;
            const chunk = asChunk(next.value);
            terminal ||= TERMINAL.has(chunk.type);
            if (emit(named.next(chunk))) return;
          }
          if (!terminal && (requireFinish || !events.sawDone)) {
            throw new TruncatedAnswerError('The answer ended before its last part.');
          }
          emit(named.rest());
          settle(undefined);
          controller.close();
        } catch (cause) {
          if (left) return;
          if (wasAborted(cause)) {
            emit(named.rest());
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
        return events.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * Puts a message id into the first `start`, and a `start` in front when the backend sends none. Data parts
 * that come before `start` wait for it: the SDK would begin a message under a random id of its own, and a
 * second one when the id comes.
 */
function nameAnswer(answerId: string) {
  let started = false;
  let held: ChatChunk[] = [];
  const begin = (start: ChatChunk): ChatChunk[] => {
    started = true;
    const chunks = [{ ...start, messageId: start['messageId'] ?? answerId }, ...held];
    held = [];
    return chunks;
  };
  return {
    next(chunk: ChatChunk): readonly ChatChunk[] {
      if (started || chunk['transient'] === true) return [chunk];
      if (chunk.type === 'start') return begin(chunk);
      if (chunk.type.startsWith('data-') || chunk.type === 'message-metadata') {
        held.push(chunk);
        return [];
      }
      // Nothing to show: a `start` of ours would make an empty bubble.
      if (TERMINAL.has(chunk.type) && held.length === 0) return [chunk];
      return [...begin({ type: 'start' }), chunk];
    },
    rest: (): readonly ChatChunk[] => (held.length > 0 ? begin({ type: 'start' }) : []),
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
 */
export function asChatError(error: unknown): Error {
  if (isError(error) && error.name !== 'TypeError') return error;
  return new TruncatedAnswerError('The answer was lost on its way.', { cause: error });
}
