/** Tells new data parts of an answer from those that a replay brings again. */
export class DataParts {
  #streamId: string | undefined;
  /** Parts that were passed on so far. */
  #passed = 0;
  /** Parts that came since the answer was last read from its beginning. */
  #read = 0;

  /** The answer is read from its beginning: for the first time, or again. */
  begin(streamId: string | undefined): void {
    if (streamId === undefined || streamId !== this.#streamId) this.#passed = 0;
    this.#streamId = streamId;
    this.#read = 0;
  }

  /** @returns true unless this page has had the part. */
  isNew(): boolean {
    if (this.#read++ < this.#passed) return false;
    this.#passed = this.#read;
    return true;
  }
}
