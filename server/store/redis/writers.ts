import { isStoreError } from '../is-store-error.ts';
import type { Written } from './commands.ts';

/** Maximum number of streams whose write position is cached. Evicting one only skips the lost-bytes check. */
const REMEMBERED = 50_000;

interface Task {
  readonly run: () => Promise<void>;
  readonly fail: (error: unknown) => void;
}

interface Writer {
  /** Last known state of a stream that this store created. */
  written: Written | undefined;
  /** Writes, first in, first out. Undefined while there are none. */
  queue: Task[] | undefined;
}

/**
 * Keeps the writes of each stream in order, one in flight, and caches the state of the streams that this store created.
 */
export class Writers {
  readonly #writers = new Map<string, Writer>();
  readonly #draining = new Set<Promise<void>>();

  /** Records a stream that this store created. */
  begin(id: string, epoch: string, tail = 0): void {
    this.#writerOf(id).written = { epoch, tail };
    this.#bound();
  }

  /** Records a new tail of a stream that this store created. */
  advance(id: string, epoch: string, tail: number): void {
    const writer = this.#writers.get(id);
    if (writer?.written?.epoch !== epoch || writer.written.tail >= tail) return;
    writer.written = { epoch, tail };
    // The map is ordered by last use.
    this.#writers.delete(id);
    this.#writers.set(id, writer);
  }

  /** Removes the cached state: the id no longer has a stream that this store created. */
  forget(id: string): void {
    const writer = this.#writers.get(id);
    if (!writer) return;
    writer.written = undefined;
    if (!writer.queue) this.#writers.delete(id);
  }

  /**
   * Runs a write after those that were added before it. If a write fails with `UNAVAILABLE`, the writes that wait
   * fail too: it is unknown whether the failed one was carried out, so they might leave a gap.
   */
  run<T>(id: string, write: (written: Written | undefined) => Promise<T>): Promise<T> {
    const writer = this.#writerOf(id);
    return new Promise((resolve, reject) => {
      const task: Task = { run: async () => resolve(await write(writer.written)), fail: reject };
      if (writer.queue) {
        writer.queue.push(task);
        return;
      }
      writer.queue = [task];
      const draining = this.#drain(id, writer, writer.queue);
      this.#draining.add(draining);
      void draining.then(() => this.#draining.delete(draining));
    });
  }

  /** Resolves when no write is pending. */
  async idle(): Promise<void> {
    while (this.#draining.size > 0) await Promise.all(this.#draining);
  }

  async #drain(id: string, writer: Writer, queue: Task[]): Promise<void> {
    for (let task = queue.shift(); task; task = queue.shift()) {
      try {
        await task.run();
      } catch (error) {
        task.fail(error);
        if (isStoreError(error) && error.code !== 'UNAVAILABLE') continue;
        for (const waiting of queue.splice(0)) waiting.fail(error);
      }
    }
    writer.queue = undefined;
    if (!writer.written) this.#writers.delete(id);
  }

  #writerOf(id: string): Writer {
    let writer = this.#writers.get(id);
    if (!writer) {
      writer = { written: undefined, queue: undefined };
      this.#writers.set(id, writer);
    }
    return writer;
  }

  #bound(): void {
    if (this.#writers.size <= REMEMBERED) return;
    for (const [id, writer] of this.#writers) {
      if (writer.queue) continue;
      this.#writers.delete(id);
      return;
    }
  }
}
