import { randomUUID } from 'node:crypto';
import { isPending } from '../metadata.ts';
import {
  type Fence,
  type Follower,
  type Frame,
  type Offset,
  StoreError,
  type StreamEnd,
  type StreamInfo,
  type StreamInit,
  type StreamStore,
} from '../types.ts';
import { Backend } from './backend.ts';
import { CatchUp, readOnce } from './catch-up.ts';
import { StreamFollower } from './follower.ts';
import type { Incarnation } from './meta-log.ts';
import { Metadata } from './meta.ts';
import type { Config } from './options.ts';
import { Registry } from './registry.ts';
import { FRAME_BYTES } from './tail.ts';
import { Tails } from './tails.ts';
import { isStreamId, notFound, unexpected } from './wire.ts';
import { Writer } from './writer.ts';

/** Maximum number of cached writers. An idle one may be evicted at any time: the next write uses another producer. */
const MAX_WRITERS = 4_096;
/** Milliseconds within which the server must answer when the store opens. */
const OPEN_MS = 9_500;
/** Milliseconds that a delete waits for a write of this process that has begun. */
const ABANDON_MS = 1_000;

/**
 * Streams on a server of the Durable Streams base protocol, each as two streams there: `{id}` with the unchanged bytes,
 * and `{id}.meta`, a log of its metadata. All state that must outlive a process is stored there.
 *
 * Requests: create 2, annotate 1 (2 with a fence), append 1, close 2, read 1 (2 at the end of a closed stream), head 2,
 * delete 2; a follower 2 to open, and then one live read per stream and process.
 */
export class DurableStreamsStore implements StreamStore {
  readonly #backend: Backend;
  readonly #metadata: Metadata;
  readonly #registry: Registry;
  readonly #tails: Tails;
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
    this.#tails = new Tails({
      backend: this.#backend,
      metadata: this.#metadata,
      registry: this.#registry,
      silenceMs: config.silenceMs,
    });
  }

  /** Requests a stream that does not exist from the backend, to detect a wrong URL or credential early. */
  async open(): Promise<void> {
    this.#checkUsable();
    try {
      const { status } = await this.#backend.send({ method: 'HEAD', path: 'durable-proxy-probe' }, OPEN_MS);
      if (status === 401 || status === 403) throw unexpected('HEAD', status);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const { cause } = error;
      const reason = cause instanceof Error ? ` (${(cause as { code?: string }).code ?? cause.message})` : '';
      throw new StoreError(error.code, `${this.#backend.url}: ${error.message}${reason}`, { cause: error });
    }
  }

  async create(id: string, init: StreamInit): Promise<boolean> {
    this.#check(id);
    const token = await this.#registry.create(id, init);
    if (token === undefined) return false;
    this.#writers.delete(id);
    this.#writer(id, token).hold(0);
    return true;
  }

  async annotate(id: string, entries: Readonly<Record<string, string>>, fence?: Fence): Promise<void> {
    this.#check(id);
    const token = this.#writer(id).token ?? (await this.#incarnation(id)).token;
    await this.#metadata.annotate(id, { token, entries, fence });
    await this.#tails.get(id)?.refresh();
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
    await this.#tails.get(id)?.refresh();
    return raised;
  }

  async read(id: string, offset: Offset, maxBytes: number): Promise<Frame> {
    this.#check(id);
    this.#metadata.touch(id);
    const { closed, ...frame } = await readOnce(this.#backend, id, offset, maxBytes);
    return closed ? { ...frame, end: await this.#metadata.standingEnd(id) } : frame;
  }

  async follow(
    id: string,
    offset: Offset,
    onReadable: () => void,
    maxBytes = FRAME_BYTES,
  ): Promise<Follower> {
    this.#check(id);
    const known = this.#tails.get(id);
    const opening = CatchUp.open(this.#backend, id, offset);
    // Awaited below, unless the metadata fail first.
    opening.catch(() => undefined);
    let follower: StreamFollower | undefined;
    try {
      if (known && isPending(known.init.metadata)) await known.refresh();
      const { token, init } = known ?? (await this.#incarnation(id));
      const source = await opening;
      const tail = source.upToDate ? source.next : ((await this.#registry.head(id))?.tail ?? source.next);
      const end = source.closed ? await this.#metadata.standingEnd(id) : undefined;
      follower = new StreamFollower({
        id,
        info: { ...init, tail, ...(end && { end }) },
        token,
        offset,
        maxBytes,
        onReadable,
        source,
        backend: this.#backend,
        metadata: this.#metadata,
        tails: this.#tails,
      });
      await follower.ready();
      return follower;
    } catch (error) {
      follower?.stop();
      opening.then((source) => source.destroy()).catch(() => undefined);
      throw error;
    }
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
      this.#tails.get(id)?.fail(notFound(id));
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
    this.#tails.dispose(disposedError());
    await this.#backend.dispose();
  }

  #check(id: string): void {
    this.#checkUsable();
    if (!isStreamId(id)) throw notFound(id);
  }

  #checkUsable(): void {
    if (this.#disposed) throw disposedError();
  }

  async #incarnation(id: string): Promise<Incarnation> {
    const incarnation = await this.#metadata.read(id);
    if (!incarnation) throw notFound(id);
    return incarnation;
  }

  #writer(id: string, token?: string): Writer {
    const known = this.#writers.get(id);
    const writer: Writer =
      known ??
      new Writer({
        id,
        producerId: `${this.#instance}.${this.#count()}`,
        count: this.#count,
        token,
        backend: this.#backend,
        metadata: this.#metadata,
        onWritten: (next) => next !== undefined && this.#tails.get(id)?.expect(next),
        onRefused: () => {
          this.#drop(id, writer);
          void this.#tails.get(id)?.check();
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
