import { OFFSET_START } from '../../protocol/query.ts';
import type { Offset, StreamStore } from '../store/types.ts';
import { EventBoundaries, EventCutter, MAX_EVENT_BYTES } from './event-cutter.ts';
import { parseEvent } from './parse-event.ts';
import type { StoredEvents, UpstreamEvent } from './types.ts';

const READ_BYTES = 262_144;
/** Bytes that are read first from the end: a few hundred events. */
const FIRST_WINDOW_BYTES = 32_768;
/** Maximum bytes that are read from the end: twice the largest event. */
const MAX_WINDOW_BYTES = 2 * MAX_EVENT_BYTES;

/** The store operations that reading events requires. */
export type LogReader = Pick<StreamStore, 'head' | 'read' | 'positionOf' | 'offsetAt'>;

interface Window {
  readonly bytes: Buffer;
  /** Position of the first byte in the log. */
  readonly start: number;
}

/**
 * Reads the events of a log that contains only complete events.
 * @throws StoreError from the iterators.
 */
export function storedEvents(store: LogReader, streamId: string): StoredEvents {
  return {
    async *fromStart() {
      const cutter = new EventCutter();
      for await (const bytes of chunks(store, streamId, OFFSET_START)) {
        yield* eventsIn(cutter.push(bytes));
        if (cutter.isOversized) return;
      }
    },
    async *fromEnd() {
      // Events before this position were not yielded yet.
      let before = Infinity;
      // Stores with opaque offsets read the whole log for each window.
      const first = store.offsetAt ? FIRST_WINDOW_BYTES : MAX_WINDOW_BYTES;
      for (let size = first; ; size *= 4) {
        const window = await lastBytes(store, streamId, Math.min(size, MAX_WINDOW_BYTES));
        const ends = new EventBoundaries(window.start === 0).next(window.bytes);
        // The first event of a window may have begun before it.
        if (window.start === 0) ends.unshift(0);
        for (let i = ends.length - 2; i >= 0; i -= 1) {
          const position = window.start + ends[i]!;
          if (position >= before) continue;
          before = position;
          const event = parseEvent(window.bytes.subarray(ends[i], ends[i + 1]));
          if (event) yield event;
        }
        if (window.start === 0 || size >= MAX_WINDOW_BYTES) return;
      }
    },
  };
}

/** Returns true if a log is empty or ends with a complete event, so that the stream can be continued. */
export async function endsWithEvent(store: LogReader, streamId: string): Promise<boolean> {
  const { bytes, start } = await lastBytes(store, streamId, 4);
  return bytes.length === 0 || new EventBoundaries(start === 0).next(bytes).at(-1) === bytes.length;
}

function* eventsIn(bytes: Uint8Array): Generator<UpstreamEvent> {
  let start = 0;
  for (const end of new EventBoundaries().next(bytes)) {
    const event = parseEvent(bytes.subarray(start, end));
    if (event) yield event;
    start = end;
  }
}

async function* chunks(store: LogReader, streamId: string, from: Offset): AsyncGenerator<Uint8Array> {
  let offset = from;
  for (;;) {
    const frame = await store.read(streamId, offset, READ_BYTES);
    yield frame.bytes;
    if (frame.upToDate || frame.end || frame.next === offset) return;
    offset = frame.next;
  }
}

async function lastBytes(store: LogReader, streamId: string, maxBytes: number): Promise<Window> {
  let start = 0;
  let from: Offset = OFFSET_START;
  // A store whose offsets are not positions is read from its beginning.
  if (store.positionOf && store.offsetAt) {
    const info = await store.head(streamId);
    const size = info ? store.positionOf(info.tail) : 0;
    start = Math.max(0, size - maxBytes);
    if (start > 0) from = store.offsetAt(start);
  }
  let bytes = Buffer.alloc(0);
  for await (const chunk of chunks(store, streamId, from)) {
    const joined = Buffer.concat([bytes, chunk]);
    bytes = joined.subarray(Math.max(0, joined.length - maxBytes));
    start += joined.length - bytes.length;
  }
  return { bytes, start };
}
