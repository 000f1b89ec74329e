import type { JsonEvents } from './json-events.ts';
import { nextTurn } from './next-turn.ts';

/** Milliseconds of work between two turns of the event loop: one frame at 60 Hz. */
const BUDGET_MS = 16;

/** Types of text chunks, with their fields for the part of the message and for the text. */
const DELTAS: Readonly<Record<string, readonly [id: string, text: string]>> = {
  'text-delta': ['id', 'delta'],
  'reasoning-delta': ['id', 'delta'],
  'tool-input-delta': ['toolCallId', 'inputTextDelta'],
};

/** A `UIMessageChunk` of any major version of `ai`. Unknown types are passed through. */
export interface ChatChunk {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The chunks of an answer, with those merged that are available at the same time. */
export interface FoldedChunks {
  /** @returns the next chunk; `undefined` at the end of the body. */
  next(): Promise<ChatChunk | undefined>;
}

/**
 * Merges consecutive deltas of one part, as far as they are available without waiting for the network, and
 * lets the event loop turn after 16 ms of work. The SDK copies the message and the page renders it for each
 * chunk: without this, a replay of a long answer blocks the page for seconds.
 *
 * A live answer is not delayed: what is available is passed on in the same turn of the event loop in which
 * nothing more arrives.
 */
export function foldChunks(events: JsonEvents, asChunk: (event: unknown) => ChatChunk): FoldedChunks {
  let ready: ChatChunk[] = [];
  let at = 0;
  let failure: Error | undefined;
  let reading: Promise<IteratorResult<unknown, undefined>> | undefined;
  let busySince: number | undefined;

  /** Milliseconds that were spent in the present turn, the SDK's work and the page's included. */
  const busyMs = (): number => {
    const now = performance.now();
    if (busySince === undefined) {
      busySince = now;
      void nextTurn().then(() => (busySince = undefined));
    }
    return now - busySince;
  };

  const add = (event: unknown): void => {
    const chunk = asChunk(event);
    const last = ready.at(-1);
    const merged = last && merge(last, chunk);
    if (merged) ready[ready.length - 1] = merged;
    else ready.push(chunk);
  };

  const read = () => {
    reading ??= events.next();
    // The failure is thrown by the next call of `next`.
    reading.catch(() => undefined);
    return reading;
  };

  /** Waits for an event, and adds all others that have arrived by then. */
  async function collect(): Promise<void> {
    let result: IteratorResult<unknown, undefined> | undefined = await read();
    while (result && !result.done) {
      reading = undefined;
      add(result.value);
      for (let event = events.poll(); event !== undefined; event = events.poll()) {
        add(event);
        if (busyMs() > BUDGET_MS) return;
      }
      result = await Promise.race([read(), nextTurn().then(() => undefined)]);
    }
  }

  return {
    async next() {
      if (at === ready.length) {
        ready = [];
        at = 0;
        if (failure) throw failure;
        try {
          await collect();
        } catch (cause) {
          // The chunks before the failure are returned first.
          failure = cause as Error;
          if (ready.length === 0) throw cause;
        }
      }
      if (busyMs() > BUDGET_MS) await nextTurn();
      return at < ready.length ? ready[at++] : undefined;
    },
  };
}

/** Merges two chunks. @returns undefined unless they are deltas of one part. */
function merge(first: ChatChunk, second: ChatChunk): ChatChunk | undefined {
  const [id, text] = DELTAS[first.type] ?? [];
  if (id === undefined || text === undefined) return undefined;
  if (second.type !== first.type || second[id] !== first[id]) return undefined;
  // As in the SDK, the newest metadata of a part counts, and a delta without metadata does not change it.
  return { ...first, ...second, [text]: `${String(first[text])}${String(second[text])}` };
}
