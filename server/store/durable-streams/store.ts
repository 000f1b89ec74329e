import { randomUUID } from 'node:crypto';
import { notFound } from '../shared/errors.ts';
import { isStoreError } from '../is-store-error.ts';
import {
  type Fence,
  type Follower,
  type Frame,
  type Offset,
  type StoreDescription,
  StoreError,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from '../types.ts';
import { Backend } from './backend.ts';
import { Feeds } from './feeds.ts';
import type { Incarnation } from './meta-log.ts';
import { Metadata } from './meta.ts';
import type { Config } from './options.ts';
import { Registry } from './registry.ts';
import { StoredBytes } from './stored-bytes.ts';
import { isStreamId, unexpected } from './wire.ts';
import { Writer } from './writer.ts';

/** Maximum number of cached writers. An idle one may be evicted at any time: the next write uses another producer. */
const MAX_WRITERS = 4_096;
/** Milliseconds within which the server must answer when the store opens. */
const OPEN_MS = 9_500;
/** Milliseconds that a delete waits for a write of this process that is in progress. */
const ABANDON_MS = 1_000;

/**
 * Streams on a server of the Durable Streams base protocol, each as two streams there: `{id}` with the unchanged bytes,
 * and `{id}.meta`, a log of its metadata. All state that must outlive a process is stored there.
 *
 * Requests: create 2, annotate 1 (2 with a fence), append 1, close 2, read 1 (2 at the end of a closed stream), head 2,
 * delete 2; a follower 2 to open (3 if it begins far behind), and then one live read per stream and process that does not
 * write the stream itself.
 */
export class DurableStreamsStore implements StreamStore {
  readonly #backend: Backend;
  readonly #metadata: Metadata;
  readonly #registry: Registry;
  readonly #feeds: Feeds;
  /** Least recently used first. */
  readonly #writers = new Map<string, Writer>();
  readonly #instance = randomUUID();
  #counted = 0;
  readonly #count = (): number => (this.#counted += 1);
  #disposed: Promise<void> | undefined;

  constructor(config: Config) {
    this.#backend = new Backend(config);
    this.#metadata = new Metadata(this.#backend, config.outcomeGraceMs);
    this.#registry = new Registry(this.#backend, this.#metadata);
    this.#feeds = new Feeds({
      backend: this.#backend,
      metadata: this.#metadata,
      registry: this.#registry,
      silenceMs: config.silenceMs,
      ownTail: (id) => this.#writers.get(id)?.ownTail,
    });
  }

  describe(): Promise<StoreDescription> {
    return Promise.resolve({ kind: 'durable-streams' });
  }

  /** Requests a stream that does not exist from the backend, to detect a wrong URL or credential early. */
  async open(): Promise<void> {
    this.#checkUsable();
    try {
      const { status } = await this.#backend.send({ method: 'HEAD', path: 'durable-proxy-probe' }, OPEN_MS);
      if (status === 401 || status === 403) throw unexpected('HEAD', status);
    } catch (error) {
      if (!isStoreError(error)) throw error;
      const { cause } = error;
      const reason = cause instanceof Error ? ` (${(cause as { code?: string }).code ?? cause.message})` : '';
      throw new StoreError(error.code, `${this.#backend.url}: ${error.message}${reason}`, { cause: error });
    }
  }

  async create(id: string, init: StreamInit): Promise<boolean> {
    this.#check(id);
    const created = await this.#registry.create(id, init);
    if (!created) return false;
    this.#feeds.get(id)?.tail.fail(notFound());
    this.#writers.delete(id);
    this.#writer(id, created.token, init.hasManyWriters).hold(0, created.tail);
    return true;
  }

  async annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    this.#check(id);
    const token = this.#writer(id).token ?? (await this.#incarnation(id)).token;
    await this.#metadata.annotate(id, { token, entries, fence });
    await this.#feeds.get(id)?.refresh();
  }

  async append(id: string, bytes: Uint8Array, fence?: Fence): Promise<void> {
    this.#check(id);
    await this.#writer(id).append(bytes, fence);
    this.#metadata.touch(id);
  }

  async close(id: string, end: StreamEnd, last?: Uint8Array, fence?: Fence): Promise<StreamEnd> {
    this.#check(id);
    const writer = this.#writer(id);
    const stands = await writer.close(end, last, fence);
    this.#drop(id, writer);
    return stands;
  }

  async adopt(id: string, fence: Fence, entries: Readonly<Record<string, string>>): Promise<Fence> {
    this.#check(id);
    const raised = await this.#registry.adopt(id, fence, entries);
    this.#writer(id).hold(raised);
    await this.#feeds.get(id)?.refresh();
    return raised;
  }

  /** Returns as many bytes as one response contains. */
  async read(id: string, offset: Offset, maxBytes: number): Promise<Frame> {
    this.#check(id);
    this.#metadata.touch(id);
    const source = new StoredBytes(this.#backend, this.#metadata, id);
    try {
      return await source.read(offset, maxBytes);
    } finally {
      source.release();
    }
  }

  async follow(id: string, offset: Offset, onReadable: () => void, maxBytes?: number): Promise<Follower> {
    this.#check(id);
    return this.#feeds.follow(id, offset, onReadable, maxBytes);
  }

  async head(id: string): Promise<StreamInfo | undefined> {
    this.#checkUsable();
    return isStreamId(id) ? this.#registry.info(id) : undefined;
  }

  async delete(id: string): Promise<boolean> {
    this.#checkUsable();
    if (!isStreamId(id)) return false;
    // A write that arrives after a delete could restore the stream.
    const writer = this.#writer(id);
    await this.#backend.within(ABANDON_MS, writer.abandon());
    try {
      const deleted = await this.#registry.delete(id);
      this.#feeds.get(id)?.tail.fail(notFound());
      return deleted;
    } finally {
      this.#drop(id, writer);
    }
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    // Writes that were called before are completed, unless the backend is failing.
    const written = Promise.all([...this.#writers.values()].map(({ busy }) => busy ?? Promise.resolve()));
    await this.#backend.within(this.#backend.requestTimeoutMs, written);
    this.#feeds.end(disposedError());
    await this.#backend.dispose();
  }

  #check(id: string): void {
    this.#checkUsable();
    if (!isStreamId(id)) throw notFound();
  }

  #checkUsable(): void {
    if (this.#disposed) throw disposedError();
  }

  async #incarnation(id: string): Promise<Incarnation> {
    const incarnation = await this.#metadata.read(id);
    if (!incarnation) throw notFound();
    return incarnation;
  }

  #writer(id: string, token?: string, hasManyWriters?: boolean): Writer {
    const known = this.#writers.get(id);
    const writer: Writer =
      known ??
      new Writer({
        id,
        producerId: `${this.#instance}.${this.#count()}`,
        count: this.#count,
        token,
        hasManyWriters,
        backend: this.#backend,
        metadata: this.#metadata,
        onWritten: (written) => this.#feeds.get(id)?.written(written),
        onRefused: () => {
          this.#drop(id, writer);
          void this.#feeds.get(id)?.check();
        },
      });
    this.#writers.delete(id);
    this.#writers.set(id, writer);
    if (this.#writers.size > MAX_WRITERS) this.#dropIdle();
    return writer;
  }

  #drop(id: string, writer: Writer): void {
    if (this.#writers.get(id) === writer) this.#writers.delete(id);
  }

  #dropIdle(): void {
    for (const [id, writer] of this.#writers) {
      if (writer.busy) continue;
      this.#writers.delete(id);
      return;
    }
  }
}

function disposedError(): StoreError {
  return new StoreError('UNAVAILABLE', 'The store was disposed of');
}
