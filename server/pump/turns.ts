/**
 * Lets a burst of new answers in one by one, a turn of the event loop each. Begun all at once, a few hundred of
 * them would keep the process busy for so long that every running answer stood still meanwhile: each takes
 * about a millisecond in all.
 */
export class Turns {
  readonly #queue: (() => void)[] = [];
  /** Somebody had this turn of the event loop. */
  #isTaken = false;

  /** Undefined when it is one's turn; otherwise a promise of it. First come, first served. */
  take(): Promise<void> | undefined {
    if (this.#isTaken) return new Promise((resolve) => this.#queue.push(resolve));
    this.#isTaken = true;
    setImmediate(this.#next);
    return undefined;
  }

  readonly #next = (): void => {
    const begin = this.#queue.shift();
    this.#isTaken = begin !== undefined;
    if (!begin) return;
    setImmediate(this.#next);
    begin();
  };
}
