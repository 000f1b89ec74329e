import type { Coordinator, CoordinatorOptions } from '../../coordination/types.ts';
import { formatOffset, parseOffset } from '../shared/byte-offsets.ts';
import { notFound } from '../shared/errors.ts';
import { NO_BYTES } from '../shared/frames.ts';
import { isStoreError } from '../is-store-error.ts';
import type {
  Fence,
  Follower,
  Frame,
  Offset,
  StoreDescription,
  StreamEnd,
  StreamInfo,
  StreamInit,
  StreamStore,
} from '../types.ts';
import { StoreError } from '../types.ts';
import { Commands, type Written } from './commands.ts';
import type { Connection } from './connection.ts';
import { Access } from './coordination/access.ts';
import { coordinateOnRedis } from './coordination/index.ts';
import { frameOf } from './feed.ts';
import { Feeds, infoOf } from './feeds.ts';
import { newEpoch } from './messages.ts';
import { Requests, type Limits } from './requests.ts';
import { scriptsFor } from './scripts.ts';
import { Writers } from './writers.ts';

/** Opens a connection. It calls `onGap` when messages may have been missed. */
export type Connect = (onGap: () => void) => Promise<Connection>;

/** Milliseconds within which the server must respond to `INFO`. */
const INFO_MS = 2_000;

/** The end of a stream whose acknowledged bytes Redis lost. */
const BYTES_LOST: StreamEnd = Object.freeze({
  outcome: 'interrupted',
  error: Object.freeze({
    code: 'STORAGE_ERROR',
    message: 'The store lost bytes of this answer in a failover',
  }),
});

interface Parts {
  readonly connection: Connection;
  readonly requests: Requests;
  readonly commands: Commands;
  readonly feeds: Feeds;
  readonly coordination: Access;
}

/** A `StreamStore` on Redis or Valkey. Any number of processes may use one Redis at the same time. */
export class RedisStore implements StreamStore {
  readonly #connect: Connect;
  readonly #prefix: string;
  readonly #limits: Limits;
  readonly #writers = new Writers();
  #opening: Promise<void> | undefined;
  #parts: Parts | undefined;
  #disposed = false;

  constructor(connect: Connect, prefix: string, limits: Limits) {
    this.#connect = connect;
    this.#prefix = prefix;
    this.#limits = limits;
  }

  open(): Promise<void> {
    if (this.#disposed) return Promise.reject(disposed());
    this.#opening ??= this.#start().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async describe(): Promise<StoreDescription> {
    const { connection } = this.#use();
    // A user may lack the permission for INFO.
    const info = await connection.info(AbortSignal.timeout(INFO_MS)).catch(() => '');
    const bytes = /^used_memory:(\d+)/m.exec(info)?.[1];
    return { kind: 'redis', ...(bytes !== undefined && { bytes: Number(bytes) }) };
  }

  async create(id: string, init: StreamInit): Promise<boolean> {
    const { commands } = this.#use();
    const epoch = newEpoch();
    const isOurs = await commands.create(id, epoch, init);
    if (isOurs) this.#writers.begin(id, epoch);
    else this.#writers.forget(id);
    return isOurs;
  }

  async annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    const { commands, feeds } = this.#use();
    await this.#write(id, async (written) => {
      const { epoch, notes } = await commands.annotate(id, entries, written, fence);
      feeds.get(id, epoch)?.addNotes(notes);
    });
  }

  async append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void> {
    const { commands, feeds } = this.#use();
    await this.#write(id, async (written) => {
      const { epoch, tail, again } = await commands.append(id, bytes, written, fence);
      this.#writers.advance(id, epoch, tail);
      const feed = feeds.get(id, epoch);
      if (again) feed?.compare({ epoch, tail }, 0);
      else feed?.append(tail - bytes.length, bytes);
    });
  }

  async close(id: string, end: StreamEnd, last: Uint8Array = NO_BYTES, fence?: Fence): Promise<StreamEnd> {
    const { commands, feeds } = this.#use();
    return this.#write(id, async (written) => {
      const closed = await commands.close(id, { end, whenLost: BYTES_LOST, last, written, fence });
      this.#writers.forget(id);
      const feed = feeds.get(id, closed.epoch);
      if (closed.added) feed?.append(closed.tail - last.length, last, closed.end);
      else feed?.compare(closed, 0);
      return closed.end;
    });
  }

  async adopt(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    const { commands, feeds } = this.#use();
    const adopted = await commands.adopt(id, fence, entries);
    this.#writers.begin(id, adopted.epoch, adopted.tail);
    feeds.get(id, adopted.epoch)?.addNotes(adopted.notes);
    return adopted.fence;
  }

  async read(id: string, offset: Offset, maxBytes: number): Promise<Frame> {
    const { commands } = this.#use();
    const from = parseOffset(offset);
    return frameOf(from, await commands.read(id, from, maxBytes, { touch: true }));
  }

  positionOf(offset: Offset): number {
    return parseOffset(offset);
  }

  offsetAt(position: number): Offset {
    return formatOffset(position);
  }

  async follow(id: string, offset: Offset, onReadable: () => void, maxBytes?: number): Promise<Follower> {
    return this.#use().feeds.follow(id, offset, onReadable, maxBytes);
  }

  async head(id: string): Promise<StreamInfo | undefined> {
    const found = await this.#use().commands.head(id);
    return found && infoOf(found);
  }

  async delete(id: string): Promise<boolean> {
    const { commands, feeds } = this.#use();
    const wasThere = await commands.delete(id);
    this.#writers.forget(id);
    feeds.get(id)?.tail.fail(notFound());
    return wasThere;
  }

  coordinate(options: CoordinatorOptions): Coordinator {
    return coordinateOnRedis(() => this.#use().coordination, options);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#opening?.catch(() => undefined);
    const parts = this.#parts;
    if (!parts) return;
    parts.feeds.end(disposed());
    await this.#writers.idle();
    parts.requests.end(disposed());
    await parts.connection.close();
  }

  async #start(): Promise<void> {
    const connection = await this.#connect(() => {
      this.#parts?.feeds.pollAll();
      this.#parts?.coordination.topics.wakeAll();
    });
    const who = newEpoch();
    const requests = new Requests(connection, this.#limits);
    const commands = new Commands(requests, scriptsFor(connection.publish), this.#prefix, who);
    const feeds = new Feeds({ commands, connection, who });
    const coordination = new Access({ connection, requests, prefix: this.#prefix });
    this.#parts = { connection, requests, commands, feeds, coordination };
  }

  #use(): Parts {
    if (this.#disposed) throw disposed();
    if (!this.#parts)
      throw new StoreError('UNAVAILABLE', 'The Redis store is not open: await store.open() first');
    return this.#parts;
  }

  /** Writes in order, and notifies our followers at once if the stream no longer exists. */
  #write<T>(id: string, write: (written: Written | undefined) => Promise<T>): Promise<T> {
    return this.#writers.run(id, async (written) => {
      try {
        return await write(written);
      } catch (error) {
        if (isStoreError(error, 'NOT_FOUND')) {
          this.#writers.forget(id);
          this.#parts?.feeds.get(id, written?.epoch)?.tail.fail(error);
        }
        throw error;
      }
    });
  }
}

function disposed(): StoreError {
  return new StoreError('UNAVAILABLE', 'The Redis store is disposed');
}
