import { randomUUID } from 'node:crypto';
import type { Orphans, Processes } from '../../../coordination/types.ts';
import type { Member, SharedCoordination } from './shared.ts';

/**
 * The proxies on a database that one operating system process has open. A proxy is alive if it has started in this
 * process and not stopped.
 */
export class EmbeddedProcesses implements Processes {
  readonly id: string = randomUUID();
  readonly #use: () => SharedCoordination;
  #member: Member | undefined;

  constructor(use: () => SharedCoordination) {
    this.#use = use;
  }

  start(onMessage: (message: string) => void): Promise<void> {
    return this.#do(({ members }) => {
      this.#member = { onMessage, owned: new Set() };
      members.set(this.id, this.#member);
    });
  }

  stop(): Promise<void> {
    return this.#do((shared) => {
      shared.members.delete(this.id);
      if (this.#member) shared.leave(this.id, this.#member.owned);
      // The database is closed and no longer contains this process.
    }).catch(() => undefined);
  }

  isAlive(process: string): Promise<boolean> {
    return this.#do(({ members }) => process === this.id || members.has(process));
  }

  notify(process: string, message: string): Promise<boolean> {
    return this.#do(({ members }) => {
      const receiver = members.get(process);
      if (!receiver) return false;
      queueMicrotask(() => members.get(process) === receiver && receiver.onMessage(message));
      return true;
    });
  }

  own(streamId: string): Promise<void> {
    return this.#do(() => void this.#member?.owned.add(streamId));
  }

  disown(streamId: string): Promise<void> {
    return this.#do(() => void this.#member?.owned.delete(streamId));
  }

  orphans(): Promise<readonly Orphans[]> {
    return this.#do(({ orphans }) =>
      [...orphans].map(([process, streamIds]) => ({ process, streamIds: [...streamIds] })),
    );
  }

  forget({ process, streamIds }: Orphans): Promise<void> {
    return this.#do(({ orphans }) => {
      const left = orphans.get(process);
      for (const streamId of streamIds) left?.delete(streamId);
      if (left?.size === 0) orphans.delete(process);
    });
  }

  /** Runs `act` with the shared state. Rejects if the database is not open. */
  async #do<T>(act: (shared: SharedCoordination) => T): Promise<T> {
    return act(this.#use());
  }
}
