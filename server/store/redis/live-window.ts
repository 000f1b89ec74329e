import type { Frame, StreamEnd } from '../types.ts';
import { ENTRY_BYTES } from './commands.ts';
import { formatOffset } from './offsets.ts';

/**
 * Bytes and frames of a stream's live tail that wait for readers who are not that far yet. What is pushed at
 * once has to fit, or those who are at the tail would have to fetch it.
 */
export const LIMIT_BYTES = 1_048_576;
const LIMIT_FRAMES = 512;

interface Slot {
  readonly start: number;
  readonly frame: Frame;
}

/**
 * The last frames of a stream that is being followed, so that bytes are fetched and encoded once for all its
 * readers. A reader who is further behind than this reaches fetches by itself.
 */
export class LiveWindow {
  #slots: Slot[] = [];
  #bytes = 0;
  /** Frames that were there at the last `age`. */
  #old = 0;

  /**
   * Adds bytes behind the last, and gives the frame that holds the last of them. They are copied: they belong
   * to a caller, or are part of a much larger buffer that they would keep alive.
   */
  push(start: number, bytes: Uint8Array, end: StreamEnd | undefined): Frame {
    const own = Buffer.from(bytes);
    let at = 0;
    while (own.length - at > ENTRY_BYTES) {
      const piece = own.subarray(at, at + ENTRY_BYTES);
      const next = formatOffset(start + at + ENTRY_BYTES);
      this.#add(start + at, { bytes: piece, next, upToDate: false });
      at += ENTRY_BYTES;
    }
    const next = formatOffset(start + own.length);
    const last = { bytes: own.subarray(at), next, upToDate: true, ...(end && { end }) };
    this.#add(start + at, last);
    return last;
  }

  /** The frame that begins at a position or holds it, when there is one. */
  at(position: number): Slot | undefined {
    const first = this.#slots[0];
    const last = this.#slots.at(-1);
    if (!first || !last || position < first.start) return undefined;
    if (position >= last.start) return last;
    let low = 0;
    let high = this.#slots.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#slots[middle] ?? last).start <= position) low = middle;
      else high = middle - 1;
    }
    return this.#slots[low];
  }

  /** Drops what has been here since the last time: who has not taken it by now is slow. */
  age(): void {
    while (this.#old > 0) this.#shift();
    this.#old = this.#slots.length;
  }

  clear(): void {
    this.#slots = [];
    this.#bytes = 0;
    this.#old = 0;
  }

  #add(start: number, frame: Frame): void {
    this.#slots.push({ start, frame });
    this.#bytes += frame.bytes.length;
    while (this.#slots.length > LIMIT_FRAMES || (this.#bytes > LIMIT_BYTES && this.#slots.length > 1)) {
      this.#shift();
    }
  }

  #shift(): void {
    this.#bytes -= this.#slots.shift()?.frame.bytes.length ?? 0;
    this.#old = Math.max(0, this.#old - 1);
  }
}
