import { mkdir, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  StoreError,
  type Fence,
  type Follower,
  type Frame,
  type Offset,
  type StreamEnd,
  type StreamInfo,
  type StoreDescription,
  type StreamInit,
  type StreamStore,
} from '../types.ts';
import type { Coordinator, CoordinatorOptions } from '../../coordination/types.ts';
import { coordinateInProcess } from './coordination/index.ts';
import { EmbeddedStore, type ResolvedOptions } from './store.ts';

/** An open database and how many stores use it. */
interface OpenDatabase {
  readonly store: EmbeddedStore;
  readonly durability: ResolvedOptions['durability'];
  users: number;
  /** Set while the database closes. */
  closing?: Promise<void>;
}

/**
 * The databases of this process, by the real path of their directory. Development servers evaluate a module again
 * when it changes, and bundlers copy it into each route; the copies share only `globalThis`.
 */
const REGISTRY = Symbol.for('durable-proxy.embedded-stores.1');

function registry(): Map<string, OpenDatabase> {
  const holder = globalThis as { [REGISTRY]?: Map<string, OpenDatabase> };
  return (holder[REGISTRY] ??= new Map());
}

/** The embedded store of one owner. Within a process, all stores on one directory share one database. */
export class SharedStore implements StreamStore {
  readonly #options: ResolvedOptions;
  /** A store that is never opened: rejects calls before `open` and after `dispose`. */
  readonly #idle: EmbeddedStore;
  #path = '';
  #entry: OpenDatabase | undefined;
  #opening: Promise<void> | undefined;
  #disposing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#idle = new EmbeddedStore(options);
  }

  open(): Promise<void> {
    // Rejects: the store was disposed of.
    if (this.#disposing) return this.#idle.open();
    this.#opening ??= this.#acquire().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #acquire(): Promise<void> {
    const { dataDir, durability } = this.#options;
    const path = await realPath(dataDir);
    const entries = registry();
    for (let closing = entries.get(path)?.closing; closing; closing = entries.get(path)?.closing)
      await closing;
    let entry = entries.get(path);
    if (entry && entry.durability !== durability)
      throw new StoreError(
        'UNAVAILABLE',
        `"${dataDir}" is open in this process with durability: '${entry.durability}'. Use the same value, or another dataDir`,
      );
    if (!entry) {
      entry = { store: new EmbeddedStore(this.#options), durability, users: 0 };
      entries.set(path, entry);
    }
    entry.users += 1;
    try {
      await entry.store.open();
    } catch (error) {
      entry.users -= 1;
      if (entry.users === 0 && entries.get(path) === entry) entries.delete(path);
      throw error;
    }
    this.#path = path;
    this.#entry = entry;
  }

  dispose(): Promise<void> {
    this.#disposing ??= this.#release();
    return this.#disposing;
  }

  async #release(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    const entry = this.#entry;
    this.#entry = undefined;
    await this.#idle.dispose();
    if (!entry) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    const remove = (): void => void registry().delete(this.#path);
    const disposed = entry.store.dispose();
    entry.closing = disposed.then(remove, remove);
    await entry.closing;
    await disposed;
  }

  async describe(): Promise<StoreDescription> {
    return { kind: 'embedded', bytes: await sizeOf(this.#path) };
  }

  coordinate({ ttlSeconds }: CoordinatorOptions): Coordinator {
    return coordinateInProcess({ use: () => this.#store.coordination, store: this, ttlSeconds });
  }

  get #store(): EmbeddedStore {
    return this.#entry?.store ?? this.#idle;
  }

  create(id: string, init: StreamInit): Promise<boolean> {
    return this.#store.create(id, init);
  }

  annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    return this.#store.annotate(id, entries, fence);
  }

  append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void> {
    return this.#store.append(id, bytes, fence);
  }

  close(id: string, end: StreamEnd, last?: Uint8Array, fence?: Fence): Promise<StreamEnd> {
    return this.#store.close(id, end, last, fence);
  }

  adopt(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    return this.#store.adopt(id, fence, entries);
  }

  read(id: string, offset: Offset, maxBytes: number): Promise<Frame> {
    return this.#store.read(id, offset, maxBytes);
  }

  positionOf(offset: Offset): number {
    return this.#store.positionOf(offset);
  }

  offsetAt(position: number): Offset {
    return this.#store.offsetAt(position);
  }

  follow(id: string, offset: Offset, onReadable: () => void, maxBytes?: number): Promise<Follower> {
    return this.#store.follow(id, offset, onReadable, maxBytes);
  }

  head(id: string): Promise<StreamInfo | undefined> {
    return this.#store.head(id);
  }

  delete(id: string): Promise<boolean> {
    return this.#store.delete(id);
  }
}

/**
 * Returns the bytes on disk of the files in a directory. Counts blocks, because files of LMDB and of the journal may
 * have holes.
 */
async function sizeOf(directory: string): Promise<number> {
  const names = await readdir(directory);
  const stats = await Promise.all(names.map((name) => stat(join(directory, name)).catch(() => undefined)));
  return stats.reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0);
}

/** @throws StoreError `UNAVAILABLE` if the directory cannot be created. */
async function realPath(dataDir: string): Promise<string> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    return await realpath(dataDir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError('UNAVAILABLE', `Could not open "${dataDir}": ${reason}`, { cause: error });
  }
}
