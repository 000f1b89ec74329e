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
  /** The offset behind these bytes. */
  readonly next: Offset;
  /** Nothing of this answer is left; only the last piece may be empty. */
  readonly last: boolean;
}

/**
 * One answer of the backend to a catch-up read, taken in pieces as small as its reader likes and no faster
 * than it reads: what is not taken stays in the socket, and the backend waits.
 */
export class CatchUp {
  /** The backend's offset behind all of this answer. */
  readonly next: Offset;
  /** Nothing readable was behind this answer when it was given. */
  readonly upToDate: boolean;
  /** The stream is closed, and this answer reaches its final offset. */
  readonly closed: boolean;
  /** Called when there may be something to take, or a failure. */
  onReadable: () => void = () => undefined;

  readonly #body: StreamedAnswer['body'];
  /** Where the reader stood. */
  readonly #place: Place;
  #taken = 0;
  /** Bytes that the reader has already, since it stands in the middle of this answer. */
  #skip: number;
  #held: Buffer | undefined;
  #ended = false;
  #failure: Error | undefined;
  readonly #timeoutMs: number;
  /** Runs only while the reader waits for the backend, and not while the backend waits for the reader. */
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
    // Nobody goes back, not even to a backend that showed bytes and now does not count them yet.
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

  /** The answer broke off; what was taken stands, and the rest is read from where it ended. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Up to `maxBytes` of what has come, or undefined: there is nothing at hand, or no more. */
  take(maxBytes: number): Piece | undefined {
    if (this.#failure) return undefined;
    this.#skipTaken();
    const first = (this.#held ??= this.#chunk());
    if (first && first.length > maxBytes) {
      this.#held = first.subarray(maxBytes);
      return this.#piece(first.subarray(0, maxBytes), false);
    }
    // Whether it is the last shows only in what comes behind it, and its offset depends on that.
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

  /** As `destroy`, but what is left of a short answer is read away, so that its connection can be used again. */
  release(): void {
    if (this.#ended || this.#failure) return this.destroy();
    this.onReadable = () => undefined;
    this.#failure = new Error('given up');
    clearTimeout(this.#timer);
    // A stream that somebody listens to for 'readable' does not flow.
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
    // An answer that ends before the place where the reader stands: the rest of the way is in the next one, or
    // the backend does not count yet what it showed, and the reader stays where it is.
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

/** Answers in a row that may break off without a byte. */
const MAX_BREAKS = 5;
const BREAK_PAUSE_MS = 50;

/** Waits before an answer that broke off is asked for again. @throws StoreError `UNAVAILABLE` after too many. */
export async function afterBreak(
  backend: Backend,
  breaks: number,
  cause: Error,
  signal?: AbortSignal,
): Promise<void> {
  if (breaks > MAX_BREAKS) {
    throw new StoreError('UNAVAILABLE', 'The Durable Streams backend breaks off its answers', { cause });
  }
  await backend.pause(BREAK_PAUSE_MS * breaks, signal);
}

/** Takes one run of bytes from an offset: as much as one answer holds, up to `maxBytes`. */
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
