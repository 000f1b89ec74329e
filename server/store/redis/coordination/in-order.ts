/** Runs the operations of one name one after the other, in the order of the calls. */
export class InOrder {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(name: string, operation: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name);
    const result = before ? before.then(operation, operation) : operation();
    const settled = result
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(name) === settled) this.#last.delete(name);
      });
    this.#last.set(name, settled);
    return result;
  }
}
