/** Distinguishes new data parts of an answer from those that a replay repeats. */
export class DataParts {
  #streamId: string | undefined;
  /** Number of parts that were passed to the page. */
  #passed = 0;
  /** Number of parts since the answer was last read from its beginning. */
  #read = 0;

  /** Called when reading an answer from its beginning, the first time or again. */
  begin(streamId: string | undefined): void {
    if (streamId === undefined || streamId !== this.#streamId) this.#passed = 0;
    this.#streamId = streamId;
    this.#read = 0;
  }

  /** Counts a part. @returns true unless the part was passed to the page before. */
  isNew(): boolean {
    if (this.#read++ < this.#passed) return false;
    this.#passed = this.#read;
    return true;
  }
}
