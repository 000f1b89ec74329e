import { STREAM_CLOSED, STREAM_NEXT_OFFSET } from '../../../protocol/headers.ts';
import { notFound } from '../shared/errors.ts';
import { isStoreError } from '../is-store-error.ts';
import type { Fence, Offset, StoreError, StreamEnd } from '../types.ts';
import type { BackendResponse, Backend } from './backend.ts';
import type { Metadata } from './meta.ts';
import { fencedProducer, Producer } from './producer.ts';
import {
  closedError,
  DATA_CONTENT_TYPE,
  fencedError,
  headerOf,
  isGone,
  isTrue,
  PRODUCER_EPOCH,
  PRODUCER_EXPECTED_SEQ,
  unexpected,
} from './wire.ts';

/** Maximum body of a request in bytes. A longer append takes several requests. */
const MAX_BODY = 4_194_304;
/** Appends that wait for the one in progress are sent together, up to this many bytes. */
const MAX_BATCH = 1_048_576;

/**
 * Milliseconds without a write after which the metadata log is read to detect an adoption. An adopter waits for the
 * former holder's lease, which is longer. The server rejects the former holder only once the adopter has appended.
 */
const SILENCE_MS = 1_500;

interface Append {
  readonly bytes: Uint8Array;
  readonly fence: Fence | undefined;
  resolve(): void;
  reject(error: unknown): void;
}

interface Close {
  readonly end: StreamEnd;
  readonly last: Uint8Array;
  readonly fence: Fence | undefined;
  resolve(end: StreamEnd): void;
  reject(error: unknown): void;
}

/** A close whose result may be unknown. A repetition sends the same request, so that it is carried out once. */
interface Closing {
  readonly end: StreamEnd;
  readonly last: Uint8Array;
  readonly fence: Fence | undefined;
  readonly begunMs: number;
  /** Set once the backend has closed the stream for it. */
  written?: Written;
}

/** A write that the backend has acknowledged. */
export interface Written {
  /** Offset of the bytes. Undefined unless only this process writes the stream, and knows all that it wrote. */
  readonly from: Offset | undefined;
  /** The bytes of the caller, which may change later. */
  readonly bytes: Uint8Array;
  /** Offset after the bytes. Undefined if the backend did not send it. */
  readonly next: Offset | undefined;
  /** Set if the write closed the stream. */
  readonly end?: StreamEnd;
}

export interface WriterOptions {
  readonly id: string;
  /** Unique: a backend treats low numbers of a known producer as repetitions. */
  readonly producerId: string;
  /** Token of the stream that this process created. If undefined, it is read from the log. */
  readonly token?: string | undefined;
  /** True if other processes append as well. Default false. */
  readonly hasManyWriters?: boolean | undefined;
  /** Returns a number above all that it returned before in this process. */
  readonly count: () => number;
  readonly backend: Backend;
  readonly metadata: Metadata;
  readonly onWritten: (written: Written) => void;
  /** Called if another process closed or deleted the stream. */
  readonly onRefused: () => void;
}

/**
 * Sends all writes of this process to one stream: in order, one request at a time. The producer headers make each
 * write exactly-once.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: (Append | Close)[] = [];
  #running: Promise<void> | undefined;
  readonly #own: Producer;
  /** The fence that this process writes with, and its producer. */
  #fenced: { readonly fence: Fence; readonly producer: Producer } | undefined;
  /** Unix time in milliseconds at which the fence was the stream's. */
  #verifiedAt = 0;
  /** Offset after the last write, as long as only this process writes the stream, and each write was acknowledged. */
  #tail: Offset | undefined;
  #closing: Closing | undefined;
  #end: StreamEnd | undefined;
  #abandoned = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    let epoch = -1;
    this.#own = new Producer(options.producerId, () => (epoch += 1));
  }

  /**
   * Records that this process has created or adopted the stream.
   * @param tail offset just past the last byte. Undefined after an adoption: the former holder may write until the
   *   first append.
   */
  hold(fence: Fence, tail?: Offset): void {
    this.#fenced = { fence, producer: fencedProducer(fence, this.#options.count) };
    this.#verifiedAt = Date.now();
    this.#tail = tail;
  }

  /** Offset just past the last byte of a stream that this process created, if only this process writes it. */
  get ownTail(): Offset | undefined {
    return this.token === undefined || this.#options.hasManyWriters ? undefined : this.#tail;
  }

  /** Token of the stream that this process created. Undefined if another process created it. */
  get token(): string | undefined {
    return this.#options.token;
  }

  /** Set while a request is in progress. Resolves when it has finished. */
  get busy(): Promise<void> | undefined {
    return this.#running;
  }

  append(bytes: Uint8Array, fence: Fence | undefined): Promise<void> {
    return new Promise((resolve, reject) => this.#enqueue({ bytes, fence, resolve, reject }));
  }

  close(end: StreamEnd, last: Uint8Array = new Uint8Array(0), fence?: Fence): Promise<StreamEnd> {
    return new Promise((resolve, reject) => this.#enqueue({ end, last, fence, resolve, reject }));
  }

  /**
   * Rejects writes that have not begun, because the stream is being deleted. Resolves when the write in progress has
   * finished.
   */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    await this.#running;
  }

  #enqueue(operation: Append | Close): void {
    this.#queue.push(operation);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      if (this.#abandoned) {
        for (const { reject } of this.#queue.splice(0)) reject(notFound());
      } else if ('end' in first) {
        this.#queue.shift();
        await this.#close(first).then(first.resolve, first.reject);
      } else {
        const batch = this.#takeBatch();
        await this.#append(joined(batch), first.fence).then(
          () => batch.forEach(({ resolve }) => resolve()),
          (error: unknown) => batch.forEach(({ reject }) => reject(error)),
        );
      }
    }
    // Synchronous with the check of the queue, so that no append is lost in between.
    this.#running = undefined;
  }

  #takeBatch(): Append[] {
    let length = 0;
    let count = 0;
    const fence = this.#queue[0]?.fence;
    for (const operation of this.#queue) {
      if (
        'end' in operation ||
        operation.fence !== fence ||
        (count > 0 && length + operation.bytes.length > MAX_BATCH)
      )
        break;
      length += operation.bytes.length;
      count += 1;
    }
    return this.#queue.splice(0, count) as Append[];
  }

  async #append(bytes: Uint8Array, fence: Fence | undefined): Promise<void> {
    if (this.#closing) throw closedError(this.#options.id);
    await this.#verify(fence);
    if (bytes.length === 0) return this.#checkOpen();
    if (fence !== undefined && this.#fenced?.fence !== fence) {
      this.#fenced = { fence, producer: fencedProducer(fence, this.#options.count) };
    }
    for (let at = 0; at < bytes.length; at += MAX_BODY) {
      this.#options.onWritten(await this.#post(bytes.subarray(at, at + MAX_BODY), false, fence));
    }
  }

  /** Reads the stream's fence, unless this process has just written with it. */
  async #verify(fence: Fence | undefined): Promise<void> {
    if (fence === undefined) return;
    const now = Date.now();
    const isHolder = this.#fenced?.fence === fence;
    if (isHolder && Math.abs(now - this.#verifiedAt) < SILENCE_MS) return;
    const { id, metadata } = this.#options;
    const incarnation = await metadata.read(id);
    if (!incarnation) throw notFound();
    if (incarnation.fence !== fence) throw fencedError(id);
    this.#verifiedAt = now;
  }

  /**
   * Takes the place of an empty append, which the protocol does not allow. Throws the errors that the append would
   * have had.
   */
  async #checkOpen(): Promise<void> {
    const { backend, id } = this.#options;
    const { status, headers } = await backend.send({ method: 'HEAD', path: id });
    if (isGone(status)) throw notFound();
    if (status !== 200) throw unexpected('HEAD', status);
    if (isTrue(headers, STREAM_CLOSED)) throw closedError(id);
  }

  async #close({ end, last, fence }: Close): Promise<StreamEnd> {
    if (this.#end) return this.#end;
    const { id, metadata } = this.#options;
    const ending = this.#finish((this.#closing ??= { end, last, fence, begunMs: performance.now() }));
    metadata.announce(id, ending);
    try {
      this.#end = await ending;
    } catch (error) {
      // The stream stays open, and a later call may close it with the right fence.
      if (isStoreError(error, 'FENCED')) this.#closing = undefined;
      throw error;
    }
    return this.#end;
  }

  async #finish(closing: Closing): Promise<StreamEnd> {
    const { id, metadata, onWritten } = this.#options;
    const token = this.#options.token ?? metadata.read(id).then((incarnation) => incarnation?.token);
    // Its failure counts only if the close succeeded.
    Promise.resolve(token).catch(() => undefined);
    if (!closing.written) {
      try {
        await this.#verifyOpen(closing.fence);
        closing.written = await this.#post(closing.last, true, closing.fence);
      } catch (error) {
        if (isStoreError(error, 'CLOSED')) return metadata.awaitStoredEnd(id);
        throw error;
      }
    }
    const known = await token;
    if (known === undefined) throw notFound();
    const end = await metadata.end(id, known, closing.end, closing.begunMs);
    onWritten({ ...closing.written, end });
    return end;
  }

  /** Like `#verify`, but throws `CLOSED` for a closed stream, which keeps its end whatever the fence. */
  async #verifyOpen(fence: Fence | undefined): Promise<void> {
    try {
      await this.#verify(fence);
    } catch (error) {
      if (isStoreError(error, 'FENCED')) await this.#checkOpen();
      throw error;
    }
  }

  async #post(bytes: Uint8Array, closing: boolean, fence: Fence | undefined): Promise<Written> {
    const { id, onRefused } = this.#options;
    // Only the holder of the fence writes as its producer. Other processes that close the stream have only checked
    // the fence.
    const isHolder = fence !== undefined && this.#fenced?.fence === fence;
    const producer = isHolder ? this.#fenced!.producer : this.#own;
    const from = isHolder ? this.#tail : undefined;
    let next: Offset | undefined;
    try {
      for (let restarted = false; ; restarted = true) {
        const begunAt = Date.now();
        const response = await this.#send(producer, bytes, closing);
        if (response.status === 200 || response.status === 204) {
          producer.accepted();
          if (isHolder) this.#verifiedAt = begunAt;
          next = headerOf(response.headers, STREAM_NEXT_OFFSET);
          return { from, bytes, next };
        }
        // The backend forgot this producer. Only a write that cannot have been applied may be repeated.
        const forgotten =
          response.status === 409 && headerOf(response.headers, PRODUCER_EXPECTED_SEQ) !== undefined;
        if (forgotten && !response.uncertain && !restarted) {
          producer.restart();
          continue;
        }
        const error = refusal(id, response, isHolder);
        if (error.code !== 'UNAVAILABLE') onRefused();
        throw error;
      }
    } finally {
      // After a failure, it is unknown how much the backend has stored.
      this.#tail = isHolder ? next : undefined;
    }
  }

  async #send(producer: Producer, body: Uint8Array, closing: boolean): Promise<BackendResponse> {
    const { backend, id } = this.#options;
    try {
      return await backend.send({
        method: 'POST',
        path: id,
        headers: {
          ...(body.length > 0 && { 'content-type': DATA_CONTENT_TYPE }),
          ...(closing && { [STREAM_CLOSED]: 'true' }),
          ...producer.headers,
        },
        ...(body.length > 0 && { body }),
      });
    } catch (error) {
      if (!closing) producer.restart();
      throw error;
    }
  }
}

function joined(batch: readonly Append[]): Uint8Array {
  return batch.length === 1 ? batch[0]!.bytes : Buffer.concat(batch.map(({ bytes }) => bytes));
}

function refusal(id: string, { status, headers }: BackendResponse, isFenced: boolean): StoreError {
  if (isGone(status)) return notFound();
  if (status === 409 && isTrue(headers, STREAM_CLOSED)) return closedError(id);
  // The adopter of the stream has written since.
  if (status === 403 && headerOf(headers, PRODUCER_EPOCH) !== undefined)
    return isFenced ? fencedError(id) : closedError(id);
  return unexpected('POST', status);
}
