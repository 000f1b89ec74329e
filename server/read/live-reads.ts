export interface LiveRead {
  readonly streamId: string;
  /** Writes a comment that keeps an idle connection open. */
  beat(): void;
  /** Ends the response without a closing event, so that the reader reconnects, to this process or another one. */
  end(): void;
  /** Disconnects the reader, also if it has not received the last bytes. */
  destroy(): void;
}

/** The SSE reads of a proxy. One interval sends keep-alive comments to all of them, and a shutdown waits for them. */
export class LiveReads {
  readonly #reads = new Set<LiveRead>();
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  add(read: LiveRead): void {
    this.#reads.add(read);
    this.#timer ??= setInterval(() => {
      for (const each of this.#reads) beat(each);
    }, this.#intervalMs).unref();
  }

  /** Removes a read after its last byte was written, or when its client has disconnected. */
  remove(read: LiveRead): void {
    this.#reads.delete(read);
    if (this.#reads.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#onIdle?.();
  }

  /** Ends the reads of a stream that another process continues. */
  endOf(streamId: string): void {
    for (const read of [...this.#reads]) if (read.streamId === streamId) read.end();
  }

  /**
   * Waits until all reads have ended. Ends the rest after `graceMs`, and disconnects those that remain after another
   * `graceMs`.
   */
  async close(graceMs: number): Promise<void> {
    await this.#idleWithin(graceMs);
    for (const read of [...this.#reads]) read.end();
    await this.#idleWithin(graceMs);
    for (const read of [...this.#reads]) read.destroy();
  }

  #idleWithin(ms: number): Promise<void> {
    if (this.#reads.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** An exception while writing one response must not affect other readers. */
function beat(read: LiveRead): void {
  try {
    read.beat();
  } catch {
    read.destroy();
  }
}
