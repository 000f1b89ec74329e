/** Counts values in buckets, as a histogram of Prometheus does. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Number of values in each bucket: up to its bound and above the one before. The last bucket has no bound. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  record(value: number): void {
    const index = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = index < 0 ? this.#bounds.length : index;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  /** Returns the lines of the text format. */
  render(name: string, help: string): string[] {
    let total = 0;
    const buckets = this.#counts.map((count, index) => {
      total += count;
      return `${name}_bucket{le="${this.#bounds[index] ?? '+Inf'}"} ${total}`;
    });
    return [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} histogram`,
      ...buckets,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${total}`,
    ];
  }
}
