import { raceSignal } from '../../../shared/race-signal.ts';
import { Table, type TableHost } from './table.ts';

/** Streams that a process left open when it ended. */
export interface LeftOpen {
  readonly process: string;
  readonly streamId: string;
}

/** A coordinator in this process that has started. */
export interface Member {
  readonly onMessage: (message: string) => void;
  readonly owned: Set<string>;
}

/**
 * State that the coordinators on one open database share. All live processes are in this process; all others are dead.
 */
export class SharedCoordination {
  readonly table: Table;
  readonly members = new Map<string, Member>();
  /** Streams of processes that ended, by process. */
  readonly orphans = new Map<string, Set<string>>();
  readonly #watchers = new Map<string, Set<() => void>>();

  constructor(host: TableHost, leftOpen: readonly LeftOpen[]) {
    this.table = new Table(host);
    for (const { process, streamId } of leftOpen) this.leave(process, [streamId]);
  }

  /** Records the open streams of a process that has ended. */
  leave(process: string, streamIds: Iterable<string>): void {
    const orphans = this.orphans.get(process) ?? new Set();
    for (const streamId of streamIds) orphans.add(streamId);
    if (orphans.size > 0) this.orphans.set(process, orphans);
  }

  /** Wakes the watchers of a row. */
  changed(id: string): void {
    for (const wake of this.#watchers.get(id) ?? []) wake();
  }

  /**
   * Resolves when `isOver` returns true. It is called at first and after each change of the row.
   * @throws the signal's reason.
   */
  async until(id: string, isOver: () => boolean, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (isOver()) return;
    const watchers = this.#watchers.get(id) ?? new Set();
    this.#watchers.set(id, watchers);
    let wake: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (wake = () => isOver() && resolve()));
    watchers.add(wake);
    try {
      await raceSignal(over, signal);
    } finally {
      watchers.delete(wake);
      if (watchers.size === 0) this.#watchers.delete(id);
    }
  }
}
