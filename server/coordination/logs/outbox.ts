import { randomUUID } from 'node:crypto';
import { logLine, parseLogLine } from '../../store/record-version.ts';
import type { ByteStore } from '../../store/types.ts';
import { TAKEN_MS } from '../times.ts';
import type { Outbox, TakenTask, Task } from '../types.ts';
import { NameLogs } from './name-logs.ts';

const OUTBOX = 'outbox';

/** State of a task after all lines of the log. */
interface Pending extends Omit<Task, 'delayMs'> {
  /** Unix time in milliseconds at which the task is due. */
  readonly dueAt: number;
  readonly attempts: number;
  /** Id of the attempt that has taken the task; empty if it is not taken. */
  readonly by: string;
}

/**
 * A line of the log. It contains the attempt that its writer saw, and has no effect if another attempt has the task.
 */
type Line =
  | ({ readonly do: 'add' } & Pending)
  | {
      readonly do: 'take';
      readonly id: string;
      readonly by: string;
      readonly seen: string;
      readonly at: number;
    }
  | {
      readonly do: 'due';
      readonly id: string;
      readonly by: string;
      readonly dueAt: number;
      /** Replaces the number of attempts. */
      readonly attempts?: number;
    }
  | { readonly do: 'done'; readonly id: string; readonly by: string };

/** Stores the tasks of all processes as one list of lines (`NameLogs`). */
export class LogOutbox implements Outbox {
  readonly #logs: NameLogs;

  constructor(store: ByteStore, ttlSeconds: number) {
    const carry = (lines: readonly string[]) =>
      [...pendingOf(lines).values()].map((task) => logLine({ do: 'add', ...task } satisfies Line));
    this.#logs = new NameLogs({ store, ttlSeconds, carry });
  }

  async add(task: Task): Promise<void> {
    const { id, payload, delayMs } = task;
    await this.#logs.create(OUTBOX);
    await this.#append({ do: 'add', id, payload, dueAt: Date.now() + delayMs, attempts: 0, by: '' });
  }

  async take(): Promise<TakenTask | undefined> {
    for (;;) {
      const at = Date.now();
      const due = [...(await this.#pending()).values()]
        .filter(({ dueAt }) => dueAt <= at)
        .sort((a, b) => a.dueAt - b.dueAt)[0];
      if (!due) return undefined;
      const by = randomUUID();
      await this.#append({ do: 'take', id: due.id, by, seen: due.by, at });
      const taken = (await this.#pending()).get(due.id);
      if (taken?.by === by) return this.#taken(taken);
    }
  }

  #taken({ id, payload, attempts, by }: Pending): TakenTask {
    const isOurs = async () => (await this.#pending()).get(id)?.by === by;
    const giveBack = async (delayMs: number, changed?: { readonly attempts: number }) => {
      const ours = await isOurs();
      await this.#append({ do: 'due', id, by, dueAt: Date.now() + delayMs, ...changed });
      return ours;
    };
    return {
      id,
      payload,
      attempts,
      extend: async () => {
        await this.#append({ do: 'due', id, by, dueAt: Date.now() + TAKEN_MS });
        return isOurs();
      },
      retry: (delayMs) => giveBack(delayMs),
      postpone: (delayMs) => giveBack(delayMs, { attempts: attempts - 1 }),
      done: async () => {
        const ours = await isOurs();
        await this.#append({ do: 'done', id, by });
        return ours;
      },
    };
  }

  async #pending(): Promise<ReadonlyMap<string, Pending>> {
    return pendingOf((await this.#logs.read(OUTBOX)).lines);
  }

  #append(line: Line): Promise<void> {
    return this.#logs.append(OUTBOX, logLine(line));
  }
}

/** Applies all lines and returns the tasks that are not done. */
function pendingOf(lines: readonly string[]): ReadonlyMap<string, Pending> {
  const pending = new Map<string, Pending>();
  for (const text of lines) {
    const line = parseLogLine(text, 'The outbox') as Line | undefined;
    if (!line) continue;
    const task = pending.get(line.id);
    if (line.do === 'add') {
      const { id, payload, dueAt, attempts, by } = line;
      if (!task) pending.set(id, { id, payload, dueAt, attempts, by });
    } else if (task && line.do === 'take') {
      if (task.by !== line.seen || task.dueAt > line.at) continue;
      const { attempts } = task;
      pending.set(line.id, { ...task, by: line.by, attempts: attempts + 1, dueAt: line.at + TAKEN_MS });
    } else if (task?.by === line.by) {
      if (line.do === 'due') {
        const { dueAt, attempts = task.attempts } = line;
        pending.set(line.id, { ...task, dueAt, attempts });
      } else pending.delete(line.id);
    }
  }
  return pending;
}
