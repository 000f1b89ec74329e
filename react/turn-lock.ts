/**
 * Several tabs may show one answer, but a tool that it asks for must run once: in the tab that has the lock of
 * the answer. The browser takes it from a tab that goes, however it goes.
 */
export class TurnLock {
  /** Hash of the user's scope. */
  scope = '';
  #isOwner = true;
  #newest: object | undefined;
  #release: (() => void) | undefined;

  /** True when this tab runs the tools of the answer, and sends what follows from them. */
  get isOwner(): boolean {
    return this.#isOwner;
  }

  /** This tab began the answer. */
  begin(streamId: string | undefined): void {
    this.#isOwner = true;
    void this.#take(streamId, true);
  }

  /** This tab's user decided something in it, so it is for this tab to go on. */
  claim(): void {
    this.#isOwner = true;
  }

  /**
   * This tab took the answer up: it owns it unless another tab does.
   * @param wasTold by a tab that lives. That decides where there are no locks (they need a secure context).
   */
  async join(streamId: string | undefined, wasTold: boolean): Promise<void> {
    this.#isOwner = false;
    if (await this.#take(streamId, !wasTold)) this.#isOwner = true;
  }

  release(): void {
    this.#newest = undefined;
    this.#release?.();
    this.#release = undefined;
  }

  async #take(streamId: string | undefined, otherwise: boolean): Promise<boolean> {
    this.release();
    const mine = (this.#newest = {});
    const { locks } = navigator as Partial<Navigator>;
    if (!locks || streamId === undefined) return otherwise;
    return new Promise((resolve) => {
      const hold = (lock: Lock | null) => {
        const isWanted = lock !== null && this.#newest === mine;
        resolve(isWanted);
        if (!isWanted) return undefined;
        return new Promise<void>((release) => {
          this.#release = release;
        });
      };
      const name = `durable-proxy:${this.scope}:${streamId}`;
      locks.request(name, { ifAvailable: true }, hold).catch(() => resolve(otherwise));
    });
  }
}
