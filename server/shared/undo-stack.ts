/** Reverts the steps of an operation that has failed. */
export class UndoStack {
  readonly #steps: (() => void)[] = [];

  /** Adds a function that reverts the last step. It must not throw, and must report its own failures. */
  push(step: () => void): void {
    this.#steps.push(step);
  }

  /** Reverts all steps, the newest first. Idempotent. */
  run(): void {
    for (let step = this.#steps.pop(); step; step = this.#steps.pop()) step();
  }

  /** Removes all steps, when something else has become responsible for releasing their resources. */
  clear(): void {
    this.#steps.length = 0;
  }
}
