/**
 * Admits at most one new stream per event-loop turn, so that a burst of creates does not stall streams in progress
 * (each costs about 1 ms).
 */
export class StartQueue {
  readonly #queue: (() => void)[] = [];
  /** True if a stream was admitted in this event-loop turn. */
  #isTaken = false;

  /**
   * Returns undefined if the stream may start now, otherwise a promise that resolves when it may. First come, first
   * served.
   */
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
