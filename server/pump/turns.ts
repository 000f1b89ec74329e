/** Creates that begin in one turn of the event loop: each takes some tenths of a millisecond in all. */
const PER_TURN = 4;

/**
 * Lets a burst of new answers in by and by. Begun all at once, a few hundred of them would keep the process
 * busy for so long that every running answer stood still meanwhile.
 */
export class Turns {
  #left = PER_TURN;
  readonly #queue: (() => void)[] = [];
  #isCounting = false;

  /** Undefined when it is one's turn; otherwise a promise of it. First come, first served. */
  take(): Promise<void> | undefined {
    if (!this.#isCounting) {
      this.#isCounting = true;
      setImmediate(this.#next);
    }
    if (this.#left > 0) {
      this.#left -= 1;
      return undefined;
    }
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  readonly #next = (): void => {
    const batch = this.#queue.splice(0, PER_TURN);
    this.#left = PER_TURN - batch.length;
    this.#isCounting = batch.length > 0;
    if (this.#isCounting) setImmediate(this.#next);
    for (const begin of batch) begin();
  };
}
