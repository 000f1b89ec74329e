import { STREAM_CLOSED, STREAM_NEXT_OFFSET, STREAM_UP_TO_DATE } from '../../../protocol/headers.ts';
import { OFFSET_START } from '../../../protocol/query.ts';
import { invalidOffset, notFound } from '../shared/errors.ts';
import type { Offset } from '../types.ts';
import type { Backend, StreamedResponse } from './backend.ts';
import { formatOffset, parseOffset, type Place } from './places.ts';
import { headerOf, isGone, isTrue, readPath, unexpected } from './wire.ts';

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

  readonly #body: StreamedResponse['body'];
  /** The reader's offset when it started. */
  readonly #place: Place;
  #taken = 0;
  /** Bytes that the reader already has, if its offset is within this response. */
  #skip: number;
  #held: Buffer | undefined;
  #ended = false;
  #failure: Error | undefined;
  /** Called when there may be bytes to take, or a failure. */
  #onReadable: () => void = () => undefined;
  readonly #timeoutMs: number;
  /** Runs only while waiting for the backend; paused under backpressure. */
  #timer: NodeJS.Timeout | undefined;

  /**
   * @throws StoreError `NOT_FOUND`, `INVALID_OFFSET`, or `UNAVAILABLE` after the retries.
   */
  static async open(backend: Backend, id: string, offset: Offset, signal?: AbortSignal): Promise<CatchUp> {
    const place = parseOffset(offset);
    const response = await backend.stream({ method: 'GET', path: readPath(id, place.base) }, signal);
    try {
      return new CatchUp(response, place, backend.requestTimeoutMs);
    } catch (error) {
      response.body.destroy();
      throw error;
    }
  }

  private constructor({ status, headers, body }: StreamedResponse, place: Place, timeoutMs: number) {
    if (isGone(status)) throw notFound();
    if (status === 400) throw invalidOffset();
    const next = headerOf(headers, STREAM_NEXT_OFFSET);
    const encoding = headerOf(headers, 'Content-Encoding') ?? 'identity';
    if (status !== 200 || next === undefined || encoding !== 'identity') throw unexpected('GET', status);
    // Offsets never decrease, even if a backend has sent bytes that its offset does not include yet.
    this.next = place.base !== OFFSET_START && next < place.base ? place.base : next;
    this.closed = isTrue(headers, STREAM_CLOSED);
    this.upToDate = this.closed || isTrue(headers, STREAM_UP_TO_DATE);
    this.#body = body;
    this.#place = place;
    this.#skip = place.skip;
    this.#timeoutMs = timeoutMs;
    body
      .on('readable', () => this.#changed())
      .on('end', () => {
        this.#ended = true;
        this.#changed();
      })
      .on('error', (error) => this.#fail(error))
      .on('close', () => {
        if (!this.#ended) this.#fail(new Error('the response ended early'));
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
        () => this.#body.destroy(new Error('the response stalled')),
        this.#timeoutMs,
      );
      return undefined;
    }
    this.#held = undefined;
    return this.#piece(first ?? new Uint8Array(0), true);
  }

  /** Like `take`, but waits for bytes. Resolves to undefined if the response is incomplete. */
  async wait(maxBytes: number): Promise<Piece | undefined> {
    for (;;) {
      const piece = this.take(maxBytes);
      if (piece || this.#failure) return piece;
      await new Promise<void>((resolve) => (this.#onReadable = resolve));
    }
  }

  destroy(): void {
    this.#onReadable = () => undefined;
    this.#failure ??= new Error('the read was canceled');
    clearTimeout(this.#timer);
    this.#body.destroy();
  }

  /** Like `destroy`, but reads the rest of a short response, so that its connection can be reused. */
  release(): void {
    if (this.#ended || this.#failure) return this.destroy();
    this.#onReadable = () => undefined;
    this.#failure = new Error('the read was canceled');
    clearTimeout(this.#timer);
    // A stream with a listener for 'readable' does not flow.
    this.#body.removeAllListeners('readable');
    this.#body.dump({ limit: 65_536, signal: AbortSignal.timeout(1_000) }).catch(() => undefined);
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#onReadable();
  }

  #piece(bytes: Uint8Array, last: boolean): Piece {
    this.#taken += bytes.length;
    if (!last) return { bytes, next: formatOffset({ base: this.#place.base, skip: this.#taken }), last };
    // If the response ends before the reader's offset, either the next response continues there, or the backend has
    // sent bytes that its offset does not include yet, and the reader's offset stays the same.
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
    this.#changed();
  }
}
