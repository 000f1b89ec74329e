export interface LiveRead {
  readonly streamId: string;
  /** Writes something that keeps a silent connection alive. */
  beat(): void;
  /** Ends the answer without a closing: its reader comes back, here or at another process. */
  end(): void;
  /** Disconnects the reader, also one that does not take the last bytes. */
  destroy(): void;
}

/** The SSE reads of a proxy: one interval keeps all of them alive, and a shutdown waits for them. */
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

  /** To be called when the last byte is on its way, or nobody is there to take it. */
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

  /** Waits until every read is over, ends what still goes on after `graceMs`, and disconnects what stays after as long. */
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

/** One response that cannot be written is no other reader's trouble. */
function beat(read: LiveRead): void {
  try {
    read.beat();
  } catch {
    read.destroy();
  }
}
