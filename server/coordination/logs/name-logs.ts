import { OFFSET_START } from '../../../protocol/query.ts';
import { readLog, sharedLogInit, type WholeLog } from '../../store/log.ts';
import { isStoreError } from '../../store/is-store-error.ts';
import type { ByteStore, Offset, StreamEnd } from '../../store/types.ts';

/** Lines after which a log is replaced by the next one. */
const MAX_LINES = 256;
/** Probability that an append checks the length, for names that are never read. */
const CHECK_PROBABILITY = 1 / 32;

const FULL: StreamEnd = { outcome: 'complete' };

export interface NameLogsOptions {
  readonly store: ByteStore;
  /** Seconds that a log is kept after its last use. */
  readonly ttlSeconds: number;
  /** Receives the lines of the last two logs and returns those that the next log begins with. */
  readonly carry: (lines: readonly string[]) => readonly string[];
}

export interface NameLines {
  readonly lines: string[];
  /** Id of the log that new lines go to. */
  readonly newest: string;
  /** Offset just past the last byte of that log that was read. */
  readonly next: Offset;
}

/**
 * An append-only list of lines for each name, of which the newest are kept: at most about three logs of `MAX_LINES`
 * lines. A full log is closed, and lines go to the next one. A separate small log contains the number of each new
 * log; the highest is the newest. The first log is kept, closed, to show that there are others.
 *
 * A closed log never changes, so any process can do or repeat each step of a replacement. A writer that knows an
 * outdated log finds it closed or deleted.
 */
export class NameLogs {
  readonly #options: NameLogsOptions;
  /** Logs that this process is currently replacing. */
  readonly #replacing = new Set<string>();

  constructor(options: NameLogsOptions) {
    this.#options = options;
  }

  /** Creates the first log unless it exists. */
  async create(id: string): Promise<void> {
    await this.#options.store.create(id, sharedLogInit(this.#options.ttlSeconds));
  }

  /** @throws StoreError `NOT_FOUND` if the name does not exist. */
  async append(id: string, line: string): Promise<void> {
    if (!(await this.#tryAppend(id, line))) await this.#appendToNewest(id, line);
    // If this fails, the next read repeats it.
    if (Math.random() < CHECK_PROBABILITY) this.read(id).catch(() => undefined);
  }

  /** Returns the newest lines, oldest first: none if the name does not exist. */
  async read(id: string): Promise<NameLines> {
    const first = await this.#readLog(id);
    if (!first?.isClosed) {
      if (first && first.lines.length > MAX_LINES) this.#replaceFull(id, 0);
      return { lines: first?.lines ?? [], newest: id, next: first?.next ?? OFFSET_START };
    }
    for (;;) {
      const number = await this.#number(id);
      const newest = logOf(id, number);
      const [previous, current] = await Promise.all([
        number <= 1 ? first : this.#readLog(logOf(id, number - 1)),
        number === 0 ? first : this.#readLog(newest),
      ]);
      if (current && !current.isClosed) {
        if (current.lines.length > MAX_LINES) this.#replaceFull(id, number);
        return { lines: [...(previous?.lines ?? []), ...current.lines], newest, next: current.next };
      }
      if ((await this.#number(id)) === number) await this.#provide(id, number, current !== undefined);
    }
  }

  async #appendToNewest(id: string, line: string): Promise<void> {
    for (;;) {
      // Reading restarts the TTL of the first log; an append to the closed log does not.
      const [number] = await Promise.all([this.#number(id), this.#readLog(id)]);
      const appended = await this.#tryAppend(logOf(id, number), line).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (appended) return;
      if ((await this.#number(id)) === number) await this.#provide(id, number, appended === false);
    }
  }

  /** Returns false if the log is closed. */
  async #tryAppend(log: string, line: string): Promise<boolean> {
    try {
      await this.#options.store.append(log, Buffer.from(`${line}\n`));
      return true;
    } catch (error) {
      if (isStoreError(error, 'CLOSED')) return false;
      throw error;
    }
  }

  /** Makes an open log the newest. */
  async #provide(id: string, number: number, isClosed: boolean): Promise<void> {
    if (isClosed) await this.#advance(id, number);
    // It has expired, or its process died before it created it.
    else await this.#options.store.create(logOf(id, number), sharedLogInit(this.#options.ttlSeconds));
  }

  /** Closes a full log in the background. If that fails, the next read or append repeats the remaining steps. */
  #replaceFull(id: string, number: number): void {
    const log = logOf(id, number);
    if (this.#replacing.has(log)) return;
    this.#replacing.add(log);
    this.#options.store
      .close(log, FULL)
      .then(() => this.#advance(id, number))
      .catch(() => undefined)
      .finally(() => this.#replacing.delete(log));
  }

  /** Creates the log after a closed one and makes it the newest. */
  async #advance(id: string, number: number): Promise<void> {
    const { store, carry } = this.#options;
    const next = logOf(id, number + 1);
    const logs = [logOf(id, Math.max(0, number - 1)), logOf(id, number)];
    const contents = await Promise.all([...new Set(logs)].map((log) => this.#readLog(log)));
    const created = await store.create(next, sharedLogInit(this.#options.ttlSeconds));
    const carried = created ? carry(contents.flatMap((log) => log?.lines ?? [])) : [];
    if (carried.length > 0)
      await store.append(next, Buffer.from(carried.map((line) => `${line}\n`).join('')));
    await store.create(numberLogOf(id), sharedLogInit(this.#options.ttlSeconds));
    await store.append(numberLogOf(id), Buffer.from(`${number + 1}\n`));
    if (number > 1) await store.delete(logOf(id, number - 1));
  }

  /** Returns the number of the newest log. The first one is 0. */
  async #number(id: string): Promise<number> {
    const numbers = await this.#readLog(numberLogOf(id));
    return (numbers?.lines ?? []).reduce((newest, line) => Math.max(newest, Number(line)), 0);
  }

  /** Returns undefined if the log does not exist. */
  async #readLog(log: string): Promise<WholeLog | undefined> {
    try {
      return await readLog(this.#options.store, log);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}

function logOf(id: string, number: number): string {
  return number === 0 ? id : `${id}-${number}`;
}

function numberLogOf(id: string): string {
  return `${id}-newest`;
}

function isNotFound(error: unknown): boolean {
  return isStoreError(error, 'NOT_FOUND');
}
