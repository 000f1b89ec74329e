import { randomUUID } from 'node:crypto';
import { TAKEN_MS } from '../../../coordination/times.ts';
import type { Outbox, TakenTask, Task } from '../../../coordination/types.ts';
import type { SharedCoordination } from './shared.ts';

/** Prefix of the ids of task rows. */
const ROW = 'task:';

const TTL_SECONDS = 30 * 24 * 3_600;

/** A task as it is stored. */
interface Stored extends Pick<Task, 'payload'> {
  /** Unix time in milliseconds at which the task is due. */
  readonly dueAt: number;
  readonly attempts: number;
  /** Id of the attempt that has taken the task; empty if it is not taken. */
  readonly by: string;
}

/** Stores tasks as rows. There are few: tasks that are due, or wait for another attempt. */
export class EmbeddedOutbox implements Outbox {
  readonly #use: () => SharedCoordination;

  constructor(use: () => SharedCoordination) {
    this.#use = use;
  }

  async add({ id, payload, delayMs }: Task): Promise<void> {
    if (!this.#get(id)) await this.#put(id, { payload, dueAt: Date.now() + delayMs, attempts: 0, by: '' });
  }

  async take(): Promise<TakenTask | undefined> {
    const now = Date.now();
    const due = this.#use()
      .table.ids(ROW)
      .map((row) => ({
        id: row.slice(ROW.length),
        dueAt: this.#get(row.slice(ROW.length))?.dueAt ?? Infinity,
      }))
      .filter(({ dueAt }) => dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt)[0];
    const task = due && this.#get(due.id);
    if (!due || !task) return undefined;
    const { id } = due;
    const by = randomUUID();
    const attempts = task.attempts + 1;
    // After a crash the task is due again, whether or not this change is stored.
    this.#put(id, { ...task, attempts, by, dueAt: now + TAKEN_MS }).catch(() => undefined);
    return {
      id,
      payload: task.payload,
      attempts,
      extend: () => this.#delay(id, by, TAKEN_MS),
      retry: (delayMs) => this.#delay(id, by, delayMs),
      postpone: (delayMs) => this.#delay(id, by, delayMs, { attempts: task.attempts }),
      done: () => this.#ifHeld(id, by, () => this.#use().table.delete(ROW + id)),
    };
  }

  #get(id: string): Stored | undefined {
    return this.#use().table.get(ROW + id) as Stored | undefined;
  }

  #put(id: string, task: Stored): Promise<void> {
    return this.#use().table.put(ROW + id, task, TTL_SECONDS);
  }

  #delay(id: string, by: string, delayMs: number, changes?: Pick<Stored, 'attempts'>): Promise<boolean> {
    const dueAt = Date.now() + delayMs;
    return this.#ifHeld(id, by, (held) => this.#put(id, { ...held, ...changes, dueAt }));
  }

  /** Returns false, without effect, if another attempt has the task. */
  async #ifHeld(id: string, by: string, act: (task: Stored) => Promise<void>): Promise<boolean> {
    const task = this.#get(id);
    if (task?.by !== by) return false;
    await act(task);
    return true;
  }
}
