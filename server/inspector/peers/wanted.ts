/** Maximum number of answers whose timelines are sent at the same time. Their ids fit into one message. */
const MAX_WANTED = 8;
/** Milliseconds for which an answer counts as shown after its last request. */
const WANTED_MS = 12_000;

/** Ids of the answers whose timelines are shown on a page. */
export class Wanted {
  readonly #until = new Map<string, number>();

  /** Returns true if the answer was not shown before. */
  add(id: string): boolean {
    const isNew = !this.#until.delete(id);
    this.#until.set(id, Date.now() + WANTED_MS);
    const [oldest] = this.#until.keys();
    if (this.#until.size > MAX_WANTED && oldest !== undefined) this.#until.delete(oldest);
    return isNew;
  }

  get current(): string[] {
    const now = Date.now();
    for (const [id, until] of this.#until) if (until < now) this.#until.delete(id);
    return [...this.#until.keys()];
  }
}
