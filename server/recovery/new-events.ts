import { EventBoundaries, EventCutter } from './event-cutter.ts';
import { parseEvent } from './parse-event.ts';
import type { UpstreamEvent } from './types.ts';

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf] as const;

/** Cuts a response that continues a stream into whole events, and drops those that are stored already. */
export class NewEvents {
  readonly cutter = new EventCutter();
  readonly #isRepeated: (event: UpstreamEvent) => boolean;
  #hasBegun = false;
  /**
   * Number of bytes of a byte order mark so far. Undefined once it cannot follow: a mark occurs at the beginning
   * only.
   */
  #mark: number | undefined = 0;

  constructor(isRepeated: (event: UpstreamEvent) => boolean = () => false) {
    this.#isRepeated = isRepeated;
  }

  /** True once a new event has arrived. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Returns the bytes of new events. */
  push(chunk: Uint8Array): Uint8Array {
    const whole = this.cutter.push(this.#withoutMark(chunk));
    if (this.#hasBegun || whole.length === 0) return whole;
    // An event that is too long to be compared is new: a stream that contains such an event is not continued.
    if (this.cutter.isOversized) {
      this.#hasBegun = true;
      return whole;
    }
    let start = 0;
    for (const end of new EventBoundaries().next(whole)) {
      const event = parseEvent(whole.subarray(start, end));
      if (event && !this.#isRepeated(event)) {
        this.#hasBegun = true;
        return whole.subarray(start);
      }
      start = end;
    }
    return whole.subarray(whole.length);
  }

  #withoutMark(chunk: Uint8Array): Uint8Array {
    let at = 0;
    while (this.#mark !== undefined && at < chunk.length) {
      if (chunk[at] !== BYTE_ORDER_MARK[this.#mark]) this.#mark = undefined;
      else {
        at += 1;
        this.#mark = this.#mark === 2 ? undefined : this.#mark + 1;
      }
    }
    return at === 0 ? chunk : chunk.subarray(at);
  }
}
