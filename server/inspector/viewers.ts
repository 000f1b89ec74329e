/** Maximum number of open pages. */
const MAX_VIEWERS = 32;

/** One page that is open. */
export interface Viewer {
  /** True if the page has not received the last message yet. */
  readonly isBehind: boolean;
  send(message: string): void;
  end(): void;
}

/** The open pages of one process. */
export class Viewers {
  readonly #viewers = new Set<Viewer>();
  /** Pages that missed a message. Their next message contains everything. */
  readonly #late = new Set<Viewer>();

  get size(): number {
    return this.#viewers.size;
  }

  /** Returns false if there are too many. */
  add(viewer: Viewer): boolean {
    if (this.#viewers.size >= MAX_VIEWERS) return false;
    this.#viewers.add(viewer);
    return true;
  }

  remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    this.#late.delete(viewer);
  }

  /**
   * Sends changes to all pages. A page that reads slowly misses them, and gets everything later.
   * @param whole returns the message with everything. Called at most once.
   */
  send(changes: string, whole: () => string): void {
    let everything: string | undefined;
    for (const viewer of this.#viewers) {
      if (viewer.isBehind) this.#late.add(viewer);
      else if (this.#late.delete(viewer)) viewer.send((everything ??= whole()));
      else viewer.send(changes);
    }
  }

  close(): void {
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
    this.#late.clear();
  }
}
