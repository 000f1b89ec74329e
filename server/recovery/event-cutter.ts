const LF = 10;
const CR = 13;
const NOTHING = new Uint8Array(0);

/** Maximum bytes of an incomplete event that are buffered. */
export const MAX_EVENT_BYTES = 8_388_608;

/**
 * Finds the ends of server-sent events in chunks of bytes. An event ends with an empty line; lines end with LF, CR LF
 * or CR (WHATWG HTML, "Parsing an event stream").
 */
export class EventBoundaries {
  #isLineEmpty: boolean;
  /** The last byte was a CR, so a following LF belongs to it. */
  #afterCr = false;
  /** That CR ended an event. */
  #endedByCr = false;

  /** @param beginsWithEvent false if the bytes may begin inside an event. */
  constructor(beginsWithEvent = true) {
    this.#isLineEmpty = beginsWithEvent;
  }

  /** Returns the position after the last event that ends in the chunk; undefined if none does. */
  last(chunk: Uint8Array): number | undefined {
    const { length } = chunk;
    // Most chunks end with an event. The lines before its empty line then need not be examined.
    const endsWithLf = length > 2 && chunk[length - 1] === LF;
    if (endsWithLf && (chunk[length - 2] === LF || (chunk[length - 2] === CR && chunk[length - 3] === LF))) {
      this.#isLineEmpty = true;
      this.#afterCr = false;
      return length;
    }
    return this.next(chunk).at(-1);
  }

  /** Returns the position after each event that ends in the chunk. */
  next(chunk: Uint8Array): number[] {
    const ends: number[] = [];
    for (let i = 0; i < chunk.length; i += 1) {
      const byte = chunk[i]!;
      if (byte === LF && this.#afterCr) {
        if (this.#endedByCr) {
          if (ends.at(-1) === i) ends.pop();
          ends.push(i + 1);
        }
        this.#afterCr = false;
      } else if (byte === LF || byte === CR) {
        this.#afterCr = byte === CR;
        this.#endedByCr = this.#isLineEmpty && this.#afterCr;
        if (this.#isLineEmpty) ends.push(i + 1);
        this.#isLineEmpty = true;
      } else {
        this.#isLineEmpty = false;
        this.#afterCr = false;
      }
    }
    return ends;
  }
}

/**
 * Passes complete server-sent events on and holds an incomplete one. Bytes are not changed. An event that ends with a
 * chunk is passed on with it, even if an LF can still follow its CR.
 */
export class EventCutter {
  readonly #maxBytes: number;
  readonly #boundaries = new EventBoundaries();
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #isOversized = false;

  /** @param maxBytes longest event in bytes. Default 8 MiB. */
  constructor(maxBytes = MAX_EVENT_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** True once an event was longer than the limit. From then on, all bytes pass unchanged. */
  get isOversized(): boolean {
    return this.#isOversized;
  }

  /** Returns the bytes up to the end of the last complete event; empty if there is none. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#isOversized) return chunk;
    const end = this.#boundaries.last(chunk);
    if (end === undefined) this.#hold(chunk);
    else {
      const whole = this.#join(end === chunk.length ? chunk : chunk.subarray(0, end));
      if (end < chunk.length) this.#hold(chunk.subarray(end));
      return whole;
    }
    if (this.#heldBytes <= this.#maxBytes) return NOTHING;
    this.#isOversized = true;
    return this.rest();
  }

  /** Removes and returns the bytes of the incomplete event. */
  rest(): Uint8Array {
    return this.#join(NOTHING);
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  #join(last: Uint8Array): Uint8Array {
    if (this.#heldBytes === 0) return last;
    const joined = Buffer.concat([...this.#held, last], this.#heldBytes + last.length);
    this.#held = [];
    this.#heldBytes = 0;
    return joined;
  }
}
