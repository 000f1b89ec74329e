/** A set of at most `max` names. If it is full, adding a name evicts the oldest one. */
export class RecentNames {
  readonly #names = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(name: string): void {
    this.#names.delete(name);
    this.#names.add(name);
    if (this.#names.size > this.#max) this.#names.delete(this.#names.values().next().value!);
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  clear(): void {
    this.#names.clear();
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}
