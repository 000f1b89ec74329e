import { LogNames } from '../../../coordination/logs/names.ts';
import { isSameEntry, MAX_CREATES, OLDER_CREATES } from '../../../coordination/creates.ts';
import type { NameEntry, NameTable } from '../../../coordination/types.ts';
import type { EmbeddedTableOptions } from './claims.ts';

/** Stores each name as a row of its newest creates, in the order of creation. */
export class EmbeddedNames implements NameTable {
  readonly #options: EmbeddedTableOptions;
  readonly #logs: LogNames;

  constructor(options: EmbeddedTableOptions) {
    this.#options = options;
    this.#logs = new LogNames(options.store, options.ttlSeconds);
  }

  async set(name: string, entry: NameEntry): Promise<void> {
    await this.#migrate(name);
    // No await from here on, so that no concurrent change is lost.
    const creates = this.#creates(name);
    const changed = withEntry(creates, entry);
    if (changed !== creates) await this.#put(name, changed);
  }

  async get(name: string): Promise<NameEntry | undefined> {
    const { use, ttlSeconds } = this.#options;
    await this.#migrate(name);
    use().table.touch(name, ttlSeconds);
    return this.#creates(name).at(-1);
  }

  async watch(name: string, seen: NameEntry | undefined, signal: AbortSignal): Promise<void> {
    const isOver = () => !isSameEntry(this.#creates(name).at(-1), seen);
    await this.#options.use().until(name, isOver, signal);
  }

  #creates(name: string): readonly NameEntry[] {
    return (this.#options.use().table.get(name) as readonly NameEntry[] | undefined) ?? [];
  }

  #put(name: string, creates: readonly NameEntry[]): Promise<void> {
    const { use, ttlSeconds } = this.#options;
    const written = use().table.put(name, creates, ttlSeconds);
    use().changed(name);
    return written;
  }

  /** Moves creates from a log of version 0.1 to a row. */
  async #migrate(name: string): Promise<void> {
    const { use, store } = this.#options;
    if (use().table.get(name) !== undefined || !(await store.head(name))) return;
    const creates = await this.#logs.creates(name);
    if (creates.length === 0 || use().table.get(name) !== undefined) return;
    const answered = creates.findLastIndex(({ state }) => state === 'answered');
    void this.#put(name, creates.slice(Math.max(0, answered - OLDER_CREATES)).slice(-MAX_CREATES))
      .then(() => store.delete(name))
      .catch(() => undefined);
  }
}

/** Returns the creates after a change of one of them: the same list if nothing changes. */
function withEntry(creates: readonly NameEntry[], entry: NameEntry): readonly NameEntry[] {
  const at = creates.findIndex(({ streamId }) => streamId === entry.streamId);
  if (entry.state === 'accepted') {
    if (at >= 0) return creates;
    // The last answered create is kept.
    const oldest = creates[0]?.state === 'answered' && creates[1]?.state !== 'answered' ? 1 : 0;
    const kept = creates.length < MAX_CREATES ? creates : creates.filter((_, i) => i !== oldest);
    return [...kept, entry];
  }
  if (at < 0) return creates;
  if (entry.state === 'failed') return creates.filter((_, i) => i !== at);
  const older = creates.slice(Math.max(0, at - OLDER_CREATES), at);
  return [...older, { ...creates[at]!, state: entry.state }, ...creates.slice(at + 1)];
}
