/**
 * Decides which tab runs the client-side tools of an answer that several tabs show: the one that holds the answer's Web
 * Lock. The browser releases the lock when the tab closes or crashes.
 */
export class TurnLock {
  /** Hash of the user's scope. */
  scope = '';
  #hasLock = true;
  /** Identifies the newest request for a lock. */
  #newest: object | undefined;
  #release: (() => void) | undefined;

  /** True if this tab runs the tools of the answer and sends the message that follows from them. */
  get hasLock(): boolean {
    return this.#hasLock;
  }

  /** Called when this tab began an answer. */
  begin(streamId: string | undefined): void {
    this.#hasLock = true;
    void this.#request(streamId, true);
  }

  /** Called when the user decided something in this tab: this tab continues the turn. */
  claim(): void {
    this.#hasLock = true;
  }

  /**
   * Called when this tab resumed an answer. It takes the lock unless another tab holds it.
   * @param isAnnounced true if another open tab announced the answer. Decides if there are no locks, which require a
   *   secure context.
   */
  async join(streamId: string | undefined, isAnnounced: boolean): Promise<void> {
    this.#hasLock = false;
    if (await this.#request(streamId, !isAnnounced)) this.#hasLock = true;
  }

  /** Called when this tab shows an answer of another device, which runs the tools. */
  yield(): void {
    this.release();
    this.#hasLock = false;
  }

  release(): void {
    this.#newest = undefined;
    this.#release?.();
    this.#release = undefined;
  }

  async #request(streamId: string | undefined, withoutLocks: boolean): Promise<boolean> {
    this.release();
    const request = (this.#newest = {});
    const { locks } = (globalThis.navigator ?? {}) as Partial<Navigator>;
    if (!locks || streamId === undefined) return withoutLocks;
    return new Promise((resolve) => {
      const hold = (lock: Lock | null) => {
        const isWanted = lock !== null && this.#newest === request;
        resolve(isWanted);
        if (!isWanted) return undefined;
        return new Promise<void>((release) => {
          this.#release = release;
        });
      };
      const name = `durable-proxy:${this.scope}:${streamId}`;
      locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(withoutLocks));
    });
  }
}
