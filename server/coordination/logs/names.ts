import { followUntil, LineSplitter } from '../../store/log.ts';
import type { ByteStore } from '../../store/types.ts';
import type { NameEntry, NameState, NameTable } from '../types.ts';
import { NameLogs } from './name-logs.ts';

/** A line of a log. Version 0.1 has the same. */
interface Line {
  readonly streamId: string;
  /** The process. */
  readonly owner: string;
  readonly state: NameState;
}

/** Names as lists of lines (`NameLogs`), two for each create. The newest creates are kept, at least 128. */
export class LogNames implements NameTable {
  readonly #store: ByteStore;
  readonly #logs: NameLogs;

  constructor(store: ByteStore, ttlSeconds: number) {
    this.#store = store;
    this.#logs = new NameLogs({ store, ttlSeconds, carry: newestLines });
  }

  async set(name: string, { streamId, process: owner, state }: NameEntry): Promise<void> {
    if (state === 'accepted') await this.#logs.create(name);
    await this.#logs.append(name, JSON.stringify({ streamId, owner, state } satisfies Line));
  }

  async get(name: string): Promise<NameEntry | undefined> {
    return (await this.creates(name)).at(-1);
  }

  /** Returns the creates that did not fail, the newest last. */
  async creates(name: string): Promise<NameEntry[]> {
    const { lines } = await this.#logs.read(name);
    return createsOf(lines).map(({ streamId, owner: process, state }) => ({ streamId, process, state }));
  }

  async watch(name: string, seen: NameEntry, signal: AbortSignal): Promise<void> {
    const { newest } = await this.#logs.read(name);
    const lines = new LineSplitter();
    const isResult = (line: string) => {
      const entry = parseLine(line);
      return entry?.streamId === seen.streamId && entry.state !== seen.state;
    };
    await followUntil(this.#store, newest, signal, (frame) => lines.push(frame.bytes).some(isResult));
  }
}

/** Returns the creates that did not fail, the newest last. */
function createsOf(lines: readonly string[]): Line[] {
  const entries = new Map<string, Line>();
  for (const line of lines) {
    const entry = parseLine(line);
    // A log begins with lines of the one before it, so that a create may be accepted twice; the first time counts. The
    // result of a create that is no longer in the logs says nothing.
    if (entry && (entry.state === 'accepted') !== entries.has(entry.streamId))
      entries.set(entry.streamId, entry);
  }
  return [...entries.values()].filter(({ state }) => state !== 'failed');
}

/** Returns the lines that contain only the newest create that did not fail. */
function newestLines(lines: readonly string[]): string[] {
  const newest = createsOf(lines).at(-1);
  if (!newest) return [];
  const accepted: Line = { ...newest, state: 'accepted' };
  return (newest.state === 'accepted' ? [newest] : [accepted, newest]).map((entry) => JSON.stringify(entry));
}

function parseLine(line: string): Line | undefined {
  try {
    return JSON.parse(line) as Line;
  } catch {
    // A line of another version.
    return undefined;
  }
}
