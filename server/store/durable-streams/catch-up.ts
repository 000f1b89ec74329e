import { STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_UP_TO_DATE } from '../../../protocol/headers.ts';
import { OFFSET_START } from '../../../protocol/query.ts';
import { type Offset, StoreError } from '../types.ts';
import type { Backend, StreamedAnswer } from './backend.ts';
import {
  formatOffset,
  headerOf,
  isGone,
  isTrue,
  notFound,
  parseOffset,
  type Place,
  readPath,
  unexpected,
} from './wire.ts';

export interface Piece {
  readonly bytes: Uint8Array;
  /** The offset after these bytes. */
  readonly next: Offset;
  /** True if this is the end of the response. Only the last piece may be empty. */
  readonly last: boolean;
}

/**
 * One response of the backend to a catch-up read. The reader takes it in pieces of any size, at its own speed: bytes
 * that are not taken stay in the socket, which applies backpressure to the backend.
 */
export class CatchUp {
  /** The backend's offset after the whole response. */
  readonly next: Offset;
  /** True if nothing readable came after this response when it was sent. */
  readonly upToDate: boolean;
  /** True if the stream is closed and this response reaches its final offset. */
  readonly closed: boolean;
  /** Called when there may be bytes to take, or a failure. */
  onReadable: () => void = () => undefined;

  readonly #body: StreamedAnswer['body'];
  /** The reader's offset when it started. */
  readonly #place: Place;
  #taken = 0;
  /** Bytes that the reader already has, if its offset is within this response. */
  #skip: number;
  #held: Buffer | undefined;
  #ended = false;
  #failure: Error | undefined;
  readonly #timeoutMs: number;
  /** Runs only while waiting for the backend; paused under backpressure. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @throws StoreError `NOT_FOUND`, `INVALID_OFFSET`, or `UNAVAILABLE` after the retries.
   */
  static async open(backend: Backend, id: string, offset: Offset, signal?: AbortSignal): Promise<CatchUp> {
    const place = parseOffset(offset);
    const answer = await backend.stream({ method: 'GET', path: readPath(id, place.base) }, signal);
    try {
      return new CatchUp(answer, place, id, backend.requestTimeoutMs);
    } catch (error) {
      answer.body.destroy();
      throw error;
    }
  }

  private constructor(
    { status, headers, body }: StreamedAnswer,
    place: Place,
    id: string,
    timeoutMs: number,
  ) {
    if (isGone(status)) throw notFound(id);
    if (status === 400) throw new StoreError('INVALID_OFFSET', 'Not an offset of this stream');
    const next = headerOf(headers, STREAM_NEXT_OFFSET);
    const encoding = headerOf(headers, 'Content-Encoding') ?? 'identity';
    if (status !== 200 || next === undefined || encoding !== 'identity') throw unexpected('GET', status);
    // An offset never decreases, not even if a backend does not count bytes yet that it has sent.
    this.next = place.base !== OFFSET_START && next < place.base ? place.base : next;
    this.closed = isTrue(headers, STREAM_CLOSED);
    this.upToDate = this.closed || isTrue(headers, STREAM_UP_TO_DATE);
    this.#body = body;
    this.#place = place;
    this.#skip = place.skip;
    this.#timeoutMs = timeoutMs;
    body
      .on('readable', () => this.#news())
      .on('end', () => {
        this.#ended = true;
        this.#news();
      })
      .on('error', (error) => this.#fail(error))
      .on('close', () => {
        if (!this.#ended) this.#fail(new Error('the answer was cut short'));
      });
  }

  /** Set if the response was incomplete. Bytes that were taken are valid; the next read continues after them. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Returns up to `maxBytes` of the received bytes. Returns undefined if none are buffered, or at the end. */
  take(maxBytes: number): Piece | undefined {
    if (this.#failure) return undefined;
    this.#skipTaken();
    const first = (this.#held ??= this.#chunk());
    if (first && first.length > maxBytes) {
      this.#held = first.subarray(maxBytes);
      return this.#piece(first.subarray(0, maxBytes), false);
    }
    // Only the next chunk shows whether this one is the last, and the offset depends on that.
    const second = this.#chunk();
    if (first && second) {
      this.#held = second;
      return this.#piece(first, false);
    }
    if (!this.#ended) {
      this.#timer ??= setTimeout(
        () => this.#body.destroy(new Error('the answer came to a halt')),
        this.#timeoutMs,
      );
      return undefined;
    }
    this.#held = undefined;
    return this.#piece(first ?? new Uint8Array(0), true);
  }

  destroy(): void {
    this.onReadable = () => undefined;
    this.#failure ??= new Error('given up');
    clearTimeout(this.#timer);
    this.#body.destroy();
  }

  /** As `destroy`, but reads the rest of a short response, so that its connection can be reused. */
  release(): void {
    if (this.#ended || this.#failure) return this.destroy();
    this.onReadable = () => undefined;
    this.#failure = new Error('given up');
    clearTimeout(this.#timer);
    // A stream with a listener for 'readable' does not flow.
    this.#body.removeAllListeners('readable');
    this.#body.dump({ limit: 65_536, signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  }

  #news(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.onReadable();
  }

  #piece(bytes: Uint8Array, last: boolean): Piece {
    this.#taken += bytes.length;
    if (!last) return { bytes, next: formatOffset({ base: this.#place.base, skip: this.#taken }), last };
    // If the response ends before the reader's offset, either the next response continues there, or the backend does
    // not count yet bytes that it has sent, and the offset stays the same.
    const place = this.#skip === 0 || !this.upToDate ? { base: this.next, skip: this.#skip } : this.#place;
    return { bytes, next: formatOffset(place), last };
  }

  #chunk(): Buffer | undefined {
    return (this.#body.read() as Buffer | null) ?? undefined;
  }

  #skipTaken(): void {
    while (this.#skip > 0) {
      const chunk = this.#chunk();
      if (!chunk) return;
      const skipped = Math.min(this.#skip, chunk.length);
      this.#skip -= skipped;
      this.#taken += skipped;
      if (skipped < chunk.length) this.#held = chunk.subarray(skipped);
    }
  }

  #fail(error: Error): void {
    if (this.#failure || this.#ended) return;
    this.#failure = error;
    this.#news();
  }
}

/** Maximum number of consecutive responses that end early without a byte. */
const MAX_BREAKS = 5;
/** Milliseconds before the first repetition. Each further one waits this much longer. */
const BREAK_PAUSE_MS = 50;

/** Waits before a request whose response ended early is repeated. @throws StoreError `UNAVAILABLE` after too many. */
export async function afterBreak(
  backend: Backend,
  breaks: number,
  cause: Error,
  signal?: AbortSignal,
): Promise<void> {
  if (breaks > MAX_BREAKS) {
    throw new StoreError('UNAVAILABLE', 'The Durable Streams backend ends its responses early', { cause });
  }
  await backend.pause(BREAK_PAUSE_MS * breaks, signal);
}

/** Reads bytes from an offset: as many as one response contains, up to `maxBytes`. */
export async function readOnce(
  backend: Backend,
  id: string,
  offset: Offset,
  maxBytes: number,
): Promise<{ bytes: Uint8Array; next: Offset; upToDate: boolean; closed: boolean }> {
  for (let breaks = 1; ; breaks += 1) {
    const source = await CatchUp.open(backend, id, offset);
    const parts: Uint8Array[] = [];
    let length = 0;
    let next = offset;
    try {
      for (;;) {
        const piece = source.take(maxBytes - length);
        if (piece) {
          parts.push(piece.bytes);
          length += piece.bytes.length;
          next = piece.next;
          if (piece.last) {
            return { bytes: joined(parts), next, upToDate: source.upToDate, closed: source.closed };
          }
        } else if (!source.failure) {
          await new Promise<void>((resolve) => (source.onReadable = resolve));
          continue;
        }
        if (length === maxBytes || (source.failure && length > 0)) {
          return { bytes: joined(parts), next, upToDate: false, closed: false };
        }
        if (source.failure) break;
      }
      await afterBreak(backend, breaks, source.failure ?? new Error('no bytes'));
    } finally {
      source.release();
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
