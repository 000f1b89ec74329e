/** The part of the Web Locks API that the hooks use and jsdom lacks: exclusive locks with `ifAvailable`. */
export class Locks {
  readonly #held = new Set<string>();

  async request(
    name: string,
    _options: { readonly ifAvailable: true },
    run: (lock: Lock | null) => unknown,
  ): Promise<void> {
    await Promise.resolve();
    if (this.#held.has(name)) {
      await run(null);
      return;
    }
    this.#held.add(name);
    try {
      await run({ name, mode: 'exclusive' });
    } finally {
      this.#held.delete(name);
    }
  }
}
