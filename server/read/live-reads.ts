export interface LiveRead {
  /** Undefined for a connection that follows a name. */
  readonly streamId: string | undefined;
  /** Writes a comment that keeps an idle connection open. */
  beat(): void;
  /** Ends the response without a closing event, so that the reader reconnects, to this process or another one. */
  end(): void;
  /** Disconnects the reader, even if it has not received the last bytes. */
  destroy(): void;
}

/** Milliseconds between two turns that write keep-alives. Longer if the interval would need more than `MAX_SLOTS`. */
const TURN_MS = 50;
/** Maximum number of slots. */
const MAX_SLOTS = 400;

/**
 * The SSE reads of a proxy. Sends keep-alive comments to all of them, and lets a shutdown wait for them.
 *
 * A write costs about 40 µs, so the keep-alives of an interval are spread over many turns of the event loop: each read
 * belongs to one of the slots of a wheel, and each turn serves the next slot.
 */
export class LiveReads {
  /** The slot of each read. */
  readonly #reads = new Map<LiveRead, Set<LiveRead>>();
  readonly #wheel: readonly Set<LiveRead>[];
  readonly #turnMs: number;
  /** The slot of the next turn. */
  #turn = 0;
  /**
   * The slot that the next read is added to. Independent of `#turn`, so that reads that begin at once are spread over
   * the slots.
   */
  #nextSlot = 0;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;

  constructor(intervalMs: number) {
    const slots = Math.min(MAX_SLOTS, Math.ceil(intervalMs / TURN_MS));
    this.#turnMs = Math.floor(intervalMs / slots);
    this.#wheel = Array.from({ length: slots }, () => new Set<LiveRead>());
  }

  add(read: LiveRead): void {
    const slot = this.#wheel[this.#nextSlot]!;
    this.#nextSlot = (this.#nextSlot + 1) % this.#wheel.length;
    slot.add(read);
    this.#reads.set(read, slot);
    this.#timer ??= setInterval(() => this.#serveNext(), this.#turnMs).unref();
  }

  /** Removes a read after its last byte was written, or when its client has disconnected. */
  remove(read: LiveRead): void {
    this.#reads.get(read)?.delete(read);
    this.#reads.delete(read);
    if (this.#reads.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#onIdle?.();
  }

  /** Ends the reads of a stream that another process continues. */
  endOf(streamId: string): void {
    for (const read of [...this.#reads.keys()]) if (read.streamId === streamId) read.end();
  }

  /**
   * Waits until all reads have ended. Ends the rest after `graceMs`, and disconnects those that remain after another
   * `graceMs`.
   */
  async close(graceMs: number): Promise<void> {
    await this.#idleWithin(graceMs);
    for (const read of [...this.#reads.keys()]) read.end();
    await this.#idleWithin(graceMs);
    for (const read of [...this.#reads.keys()]) read.destroy();
  }

  #serveNext(): void {
    for (const read of this.#wheel[this.#turn]!) beat(read);
    this.#turn = (this.#turn + 1) % this.#wheel.length;
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

/** Writes a keep-alive. An exception while writing one response must not affect other readers. */
function beat(read: LiveRead): void {
  try {
    read.beat();
  } catch {
    read.destroy();
  }
}
