import { StoreError } from '../types.ts';
import type { Written } from './commands.ts';

/** Streams of which is remembered how far they were written. The oldest are forgotten, which loses a check only. */
const REMEMBERED = 50_000;

interface Task {
  readonly run: () => Promise<void>;
  readonly fail: (error: unknown) => void;
}

interface Writer {
  /** What is known of a stream that this store created. */
  written: Written | undefined;
  /** First in, first out; undefined while nothing is being written. */
  queue: Task[] | undefined;
}

/** Keeps the writes of each stream in order, one in flight, and what is known of the streams that we created. */
export class Writers {
  readonly #writers = new Map<string, Writer>();
  readonly #draining = new Set<Promise<void>>();

  /** A stream of ours begins. */
  begin(id: string, epoch: string, tail = 0): void {
    this.#writerOf(id).written = { epoch, tail };
    this.#bound();
  }

  /** A stream of ours has got further. */
  advance(id: string, epoch: string, tail: number): void {
    const writer = this.#writers.get(id);
    if (writer?.written?.epoch !== epoch || writer.written.tail >= tail) return;
    writer.written = { epoch, tail };
    // The map's order is that of use.
    this.#writers.delete(id);
    this.#writers.set(id, writer);
  }

  /** Nothing of ours stands under the id any more. */
  forget(id: string): void {
    const writer = this.#writers.get(id);
    if (!writer) return;
    writer.written = undefined;
    if (!writer.queue) this.#writers.delete(id);
  }

  /**
   * Runs a write behind those that were asked for before it. When one is `UNAVAILABLE`, those that wait fail
   * with it: whether it was written is unknown, and they might leave a hole.
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

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#draining.size > 0) await Promise.all(this.#draining);
  }

  async #drain(id: string, writer: Writer, queue: Task[]): Promise<void> {
    for (let task = queue.shift(); task; task = queue.shift()) {
      try {
        await task.run();
      } catch (error) {
        task.fail(error);
        if (error instanceof StoreError && error.code !== 'UNAVAILABLE') continue;
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
