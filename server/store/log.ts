import { OFFSET_START } from '../../protocol/query.ts';
import { raceSignal } from '../shared/race-signal.ts';
import { isPending } from './metadata.ts';
import type { Frame, Offset, StreamInfo, StreamInit, StreamStore } from './types.ts';

const READ_BYTES = 262_144;

/**
 * Calls `onFrame` for each frame from an offset until the stream closes, `onFrame` returns `true`, or `signal` aborts.
 * Used to wait for a single event.
 * @returns the `end` of the last frame if the stream was closed.
 * @throws StoreError if the stream does not exist, is deleted or expires, or the store fails; the signal's reason.
 */
export async function followUntil(
  store: Pick<StreamStore, 'follow'>,
  id: string,
  onFrame: (frame: Frame, info: StreamInfo) => boolean,
  { signal, offset = OFFSET_START }: { readonly signal: AbortSignal; readonly offset?: string },
): Promise<Frame['end']> {
  signal.throwIfAborted();
  let wake: () => void = () => undefined;
  const follower = await store.follow(id, offset, () => wake());
  try {
    for (;;) {
      signal.throwIfAborted();
      // Registers the listener first, so that a frame that arrives in between is not missed.
      const readable = new Promise<void>((resolve) => (wake = resolve));
      const frame = follower.next();
      if (!frame) await raceSignal(readable, signal);
      else if (onFrame(frame, follower.info) || frame.end) return frame.end;
    }
  } finally {
    follower.stop();
  }
}

/**
 * Resolves when the head of a pending stream's upstream is known, or the stream is closed.
 * @param onOpen called with the state of the stream when it was opened.
 * @throws StoreError if the stream does not exist, is deleted or expires, or the store fails; the signal's reason.
 */
export async function followHead(
  store: Pick<StreamStore, 'follow'>,
  id: string,
  signal: AbortSignal,
  onOpen: (info: StreamInfo) => void,
): Promise<void> {
  signal.throwIfAborted();
  let wake: () => void = () => undefined;
  const follower = await store.follow(id, OFFSET_START, () => wake());
  try {
    onOpen(follower.info);
    for (;;) {
      signal.throwIfAborted();
      const readable = new Promise<void>((resolve) => (wake = resolve));
      // A byte proves that the head is known.
      if (follower.next() || !isPending(follower.metadata)) return;
      await raceSignal(readable, signal);
    }
  } finally {
    follower.stop();
  }
}

/**
 * Returns the init of a log of JSON lines that all processes on a store append to, also after its creator has ended.
 * @param ttlSeconds seconds without a read or write after which the log may expire.
 */
export function sharedLogInit(ttlSeconds: number): StreamInit {
  return {
    contentType: 'application/x-ndjson',
    ttlSeconds,
    outlivesProcess: true,
    hasManyWriters: true,
    metadata: {},
  };
}

export interface WholeLog {
  readonly lines: string[];
  readonly isClosed: boolean;
  /** Offset just past the last byte that was read. */
  readonly next: Offset;
}

/** Reads a small log completely. Omits a line that is not complete yet. */
export async function readLog(store: Pick<StreamStore, 'read'>, id: string): Promise<WholeLog> {
  const chunks: Uint8Array[] = [];
  let offset = OFFSET_START;
  for (;;) {
    const frame = await store.read(id, offset, READ_BYTES);
    chunks.push(frame.bytes);
    offset = frame.next;
    if (!frame.upToDate && !frame.end) continue;
    const lines = Buffer.concat(chunks).toString('utf8').split('\n').slice(0, -1);
    return { lines, isClosed: frame.end !== undefined, next: offset };
  }
}

/** Splits bytes that arrive in chunks into lines. */
export class LineSplitter {
  #rest = '';
  readonly #decoder = new TextDecoder();

  push(bytes: Uint8Array): string[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines;
  }
}
