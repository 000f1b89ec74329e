import { followUntil, LineSplitter } from '../../store/log.ts';
import { isStoreError } from '../../store/is-store-error.ts';
import { logLine, parseLogLine } from '../../store/record-version.ts';
import type { ByteStore } from '../../store/types.ts';
import { isSameEntry } from '../creates.ts';
import type { NameEntry, NameState, NameTable } from '../types.ts';
import { NameLogs } from './name-logs.ts';

/** A line of a log. Version 0.1 wrote the same fields, without `v`. */
interface Line {
  readonly streamId: string;
  /** Id of the process. The name of the field dates from version 0.1. */
  readonly owner: string;
  readonly state: NameState;
}

/** Stores names as lists of lines (`NameLogs`), two for each create. The newest creates are kept, at least 128. */
export class LogNames implements NameTable {
  readonly #store: ByteStore;
  readonly #logs: NameLogs;

  constructor(store: ByteStore, ttlSeconds: number) {
    this.#store = store;
    this.#logs = new NameLogs({ store, ttlSeconds, carry: newestLines });
  }

  async set(name: string, { streamId, process: owner, state }: NameEntry): Promise<void> {
    if (state === 'accepted') await this.#logs.create(name);
    await this.#logs.append(name, logLine({ streamId, owner, state } satisfies Line));
  }

  async get(name: string): Promise<NameEntry | undefined> {
    return newestOf((await this.#logs.read(name)).lines);
  }

  /** Returns the creates that did not fail, the newest last. */
  async creates(name: string): Promise<NameEntry[]> {
    const { lines } = await this.#logs.read(name);
    return createsOf(lines).map(entryOf);
  }

  async watch(name: string, seen: NameEntry | undefined, signal: AbortSignal): Promise<void> {
    // A log that does not exist cannot be followed.
    if (!seen) await this.#logs.create(name);
    const { lines, newest, next } = await this.#logs.read(name);
    const splitter = new LineSplitter();
    const isOver = (added: readonly string[]) => {
      for (const line of added) lines.push(line);
      // The first line may be the rest of one that was read before it was complete.
      return added.some((line) => !parseLine(line)) || !isSameEntry(newestOf(lines), seen);
    };
    if (isOver([])) return;
    try {
      await followUntil(this.#store, newest, ({ bytes }) => isOver(splitter.push(bytes)), {
        signal,
        offset: next,
      });
    } catch (error) {
      if (!isStoreError(error, 'NOT_FOUND')) throw error;
    }
  }
}

/** Returns the creates that did not fail, the newest last. */
function createsOf(lines: readonly string[]): Line[] {
  const entries = new Map<string, Line>();
  for (const line of lines) {
    const entry = parseLine(line);
    // A log begins with lines of the one before it, so that a create may be accepted twice; the first time counts.
    // The result of a create that is no longer in the logs is ignored.
    if (entry && (entry.state === 'accepted') !== entries.has(entry.streamId))
      entries.set(entry.streamId, entry);
  }
  return [...entries.values()].filter(({ state }) => state !== 'failed');
}

function newestOf(lines: readonly string[]): NameEntry | undefined {
  const newest = createsOf(lines).at(-1);
  return newest && entryOf(newest);
}

function entryOf({ streamId, owner: process, state }: Line): NameEntry {
  return { streamId, process, state };
}

/** Returns the lines that contain only the newest create that did not fail. */
function newestLines(lines: readonly string[]): string[] {
  const newest = createsOf(lines).at(-1);
  if (!newest) return [];
  const accepted: Line = { ...newest, state: 'accepted' };
  return (newest.state === 'accepted' ? [newest] : [accepted, newest]).map((entry) => logLine(entry));
}

function parseLine(line: string): Line | undefined {
  return parseLogLine(line, 'The name') as Line | undefined;
}
