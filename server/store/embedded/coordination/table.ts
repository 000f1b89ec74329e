import { checkVersion, RECORD_VERSION } from '../../record-version.ts';
import type { Committer, Participant } from '../committer.ts';
import type { Disk } from '../disk.ts';
import { rowExpiriesUntil, rowExpiryKey, rowKey, rowsOf } from '../keys.ts';
import type { Writes } from '../operations.ts';
import { deadlineOf, slackMs } from '../record.ts';
import type { CommitLog } from '../write-behind.ts';

/** Maximum number of rows that one commit of the sweeper removes. */
const ROWS_PER_COMMIT = 400;

/** A row as it is stored. */
interface Row {
  readonly v: number;
  /** Unix time in milliseconds. Somewhat later than the TTL requires. */
  readonly expiresAt: number;
  readonly value: unknown;
}

export interface TableHost {
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
}

/**
 * Rows of JSON in LMDB, each with a TTL. Memory contains only the rows that are not in LMDB yet, so startup time and
 * memory do not depend on the number of rows.
 */
export class Table {
  readonly #host: TableHost;
  readonly #pending = new Map<string, PendingRow>();

  constructor(host: TableHost) {
    this.#host = host;
  }

  get(id: string): unknown {
    return this.#row(id)?.value;
  }

  /** Stores a row. `get` returns it at once; the promise resolves when it is durable. */
  put(id: string, value: unknown, ttlSeconds: number): Promise<void> {
    const pending = this.#pendingOf(id);
    const expiresAt = deadlineOf(Date.now(), ttlSeconds) + slackMs(ttlSeconds);
    pending.row = { v: RECORD_VERSION, expiresAt, value };
    return this.#write(pending);
  }

  /** Restarts the TTL of a row. Writes at most once in an eighth of the TTL. */
  touch(id: string, ttlSeconds: number): void {
    const row = this.#row(id);
    if (!row || row.expiresAt >= deadlineOf(Date.now(), ttlSeconds)) return;
    this.put(id, row.value, ttlSeconds).catch(() => undefined);
  }

  delete(id: string): Promise<void> {
    const pending = this.#pendingOf(id);
    pending.row = undefined;
    return this.#write(pending);
  }

  /** Returns the ids that begin with a text. */
  ids(start: string): string[] {
    const { disk } = this.#host;
    const stored = disk
      .entries(rowsOf(start), Number.MAX_SAFE_INTEGER)
      .map(({ key }) => key.toString('utf8', 1));
    const pending = [...this.#pending.keys()].filter((id) => id.startsWith(start));
    return [...new Set([...stored, ...pending])].filter((id) => this.#row(id));
  }

  /** Drops rows that are in LMDB by now, and retries those that could not be written. */
  tidy(): void {
    for (const [id, pending] of this.#pending) {
      if (pending.isStored(this.#host.log.readable)) this.#pending.delete(id);
      else if (pending.isFailed) this.#host.committer.addLazily(pending);
    }
  }

  /** Removes rows that have expired. Returns true if there may be more. */
  async sweep(): Promise<boolean> {
    const { disk, log, committer } = this.#host;
    const due = disk.entries(rowExpiriesUntil(Date.now()), ROWS_PER_COMMIT);
    if (due.length === 0) return false;
    await committer.run((to) => {
      for (const { key, value: id } of due) {
        to.remove(key);
        // A row that was written again has another expiry in the index.
        if (!this.#row(id)) to.remove(rowKey(id));
      }
    });
    await log.settled();
    return due.length === ROWS_PER_COMMIT;
  }

  #row(id: string): Row | undefined {
    const pending = this.#pending.get(id);
    const row = pending ? pending.row : this.#stored(id);
    return row && row.expiresAt > Date.now() ? row : undefined;
  }

  #stored(id: string): Row | undefined {
    const value = this.#host.disk.value(rowKey(id));
    if (!value) return undefined;
    const row = JSON.parse(value.toString()) as Row;
    checkVersion(row, 'The row in LMDB');
    return row;
  }

  #pendingOf(id: string): PendingRow {
    let pending = this.#pending.get(id);
    if (!pending) {
      const stored = this.#stored(id);
      pending = new PendingRow(id, stored, this.#host.log);
      this.#pending.set(id, pending);
    }
    return pending;
  }

  #write(pending: PendingRow): Promise<void> {
    const written = pending.written();
    this.#host.committer.add(pending);
    return written;
  }
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A row that was changed and that LMDB may not contain yet. */
class PendingRow implements Participant {
  row: Row | undefined;
  isFailed = false;
  readonly #id: string;
  readonly #log: CommitLog;
  /** Expiry in the index. */
  #indexed: number | undefined;
  #waiting: Waiter[] = [];
  #inCommit: Waiter[] = [];
  /** Set when nothing is left to commit: the last commit that may contain the row. */
  #commit: number | undefined;

  constructor(id: string, stored: Row | undefined, log: CommitLog) {
    this.#id = id;
    this.row = stored;
    this.#indexed = stored?.expiresAt;
    this.#log = log;
  }

  isStored(readable: number): boolean {
    return this.#commit !== undefined && this.#commit <= readable;
  }

  /** Resolves when the current version of the row is committed. */
  written(): Promise<void> {
    this.#commit = undefined;
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  write(to: Writes): void {
    this.#inCommit = this.#waiting;
    this.#waiting = [];
    const { row } = this;
    if (this.#indexed !== undefined && this.#indexed !== row?.expiresAt)
      to.remove(rowExpiryKey(this.#indexed, this.#id));
    if (row) {
      to.put(rowKey(this.#id), Buffer.from(JSON.stringify(row)));
      to.put(rowExpiryKey(row.expiresAt, this.#id), Buffer.from(this.#id));
    } else {
      to.remove(rowKey(this.#id));
    }
    this.#indexed = row?.expiresAt;
  }

  committed(): void {
    this.isFailed = false;
    if (this.#waiting.length === 0) this.#commit = this.#log.committed;
    for (const { resolve } of this.#inCommit.splice(0)) resolve();
  }

  failed(error: Error): void {
    this.isFailed = true;
    for (const { reject } of [...this.#inCommit.splice(0), ...this.#waiting.splice(0)]) reject(error);
  }
}
