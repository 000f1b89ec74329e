import { randomUUID } from 'node:crypto';
import { TAKEN_MS } from '../../../coordination/times.ts';
import type { Outbox, TakenTask, Task } from '../../../coordination/types.ts';
import type { Script } from '../script.ts';
import type { Access } from './access.ts';

/** Milliseconds that tasks are kept after a process last looked for due tasks. */
const TTL_MS = String(30 * 24 * 3_600_000);

/** Stores tasks as a sorted set by the time at which they are due. The clock is that of Redis. */
export class RedisOutbox implements Outbox {
  readonly #use: () => Access;

  constructor(use: () => Access) {
    this.#use = use;
  }

  async add({ id, payload, delayMs }: Task): Promise<void> {
    const access = this.#use();
    await access.run(access.outbox.add, this.#keys(), [id, payload, String(delayMs), TTL_MS]);
  }

  /** A task whose reply is lost is due again after `TAKEN_MS`, as if its process had died. */
  async take(): Promise<TakenTask | undefined> {
    const access = this.#use();
    const by = randomUUID();
    const { take, extend, retry, done } = access.outbox;
    const [status, ...task] = await access.run(take, this.#keys(), [by, String(TAKEN_MS), TTL_MS]);
    if (status === 'NOT_FOUND') return undefined;
    const [id = '', payload = ''] = task;
    const attempts = Number(task[2]);
    const giveBack = (delayMs: number, count: number) =>
      this.#change(retry, [id, by, String(delayMs), String(count)]);
    return {
      id,
      payload,
      attempts,
      extend: () => this.#change(extend, [id, by, String(TAKEN_MS)]),
      retry: (delayMs) => giveBack(delayMs, attempts),
      postpone: (delayMs) => giveBack(delayMs, attempts - 1),
      done: () => this.#change(done, [id, by]),
    };
  }

  /**
   * Returns false if another process has the task. A task that does not exist after a lost reply was removed by this
   * process.
   */
  async #change(script: Script, args: readonly string[]): Promise<boolean> {
    let repeated = false;
    const onRepeat = () => void (repeated = true);
    const [status] = await this.#use().run(script, this.#keys(), args, { onRepeat });
    return status === 'OK' || repeated;
  }

  #keys(): [string, string] {
    const { due, tasks } = this.#use().keys('outbox');
    return [due, tasks];
  }
}
