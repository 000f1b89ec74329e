import { STREAM_CLOSED, STREAM_NEXT_OFFSET } from '../../../protocol/headers.ts';
import { type Fence, type Offset, type StreamEnd, StoreError } from '../types.ts';
import type { Answer, Backend } from './backend.ts';
import type { Metadata } from './meta.ts';
import { fencedProducer, Producer } from './producer.ts';
import {
  closedError,
  DATA_CONTENT_TYPE,
  fencedError,
  headerOf,
  isGone,
  isTrue,
  notFound,
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
  accepted: boolean;
}

export interface WriterOptions {
  readonly id: string;
  /** Unique: a backend treats low numbers of a known producer as repetitions. */
  readonly producerId: string;
  /** Token of the stream that this process created. Undefined: it is read from the log. */
  readonly token?: string | undefined;
  /** Returns a number above all that it returned before in this process. */
  readonly count: () => number;
  readonly backend: Backend;
  readonly metadata: Metadata;
  /** Called when the backend has stored bytes or a closing, with the next offset if the backend sent it. */
  readonly onWritten: (next: Offset | undefined) => void;
  /** Called if another process closed or deleted the stream. */
  readonly onRefused: () => void;
}

/**
 * All writes of this process to one stream: in order, one request at a time, each exactly once by the producer headers.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: (Append | Close)[] = [];
  #running: Promise<void> | undefined;
  readonly #own: Producer;
  /** Of the fence that this process writes with. */
  #fenced: { readonly fence: Fence; readonly producer: Producer } | undefined;
  /** Unix time in milliseconds at which the fence was the stream's. */
  #verifiedAt = 0;
  #closing: Closing | undefined;
  #end: StreamEnd | undefined;
  #abandoned = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    let epoch = -1;
    this.#own = new Producer(options.producerId, () => (epoch += 1));
  }

  /** This process has created or adopted the stream. */
  hold(fence: Fence): void {
    this.#fenced = { fence, producer: fencedProducer(fence, this.#options.count) };
    this.#verifiedAt = Date.now();
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
   * Rejects writes that have not begun, since the stream is being deleted. Resolves when the write in progress has
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
        for (const { reject } of this.#queue.splice(0)) reject(notFound(this.#options.id));
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
    if (bytes.length === 0) return this.#look();
    if (fence !== undefined && this.#fenced?.fence !== fence) {
      this.#fenced = { fence, producer: fencedProducer(fence, this.#options.count) };
    }
    for (let at = 0; at < bytes.length; at += MAX_BODY) {
      await this.#post(bytes.subarray(at, at + MAX_BODY), false, fence);
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
    if (!incarnation) throw notFound(id);
    if (incarnation.fence !== fence) throw fencedError(id);
    this.#verifiedAt = now;
  }

  /** A request cannot be empty. Returns the result that an empty append would have had. */
  async #look(): Promise<void> {
    const { backend, id } = this.#options;
    const { status, headers } = await backend.send({ method: 'HEAD', path: id });
    if (isGone(status)) throw notFound(id);
    if (status !== 200) throw unexpected('HEAD', status);
    if (isTrue(headers, STREAM_CLOSED)) throw closedError(id);
  }

  async #close({ end, last, fence }: Close): Promise<StreamEnd> {
    if (this.#end) return this.#end;
    const { id, metadata } = this.#options;
    const ending = this.#finish(
      (this.#closing ??= { end, last, fence, begunMs: performance.now(), accepted: false }),
    );
    metadata.announce(id, ending);
    try {
      this.#end = await ending;
    } catch (error) {
      // The stream stays open, and a later call may close it with the right fence.
      if (error instanceof StoreError && error.code === 'FENCED') this.#closing = undefined;
      throw error;
    }
    return this.#end;
  }

  async #finish(closing: Closing): Promise<StreamEnd> {
    const { id, metadata } = this.#options;
    const token = this.#options.token ?? metadata.read(id).then((incarnation) => incarnation?.token);
    // Its failure counts only if the close succeeded.
    Promise.resolve(token).catch(() => undefined);
    if (!closing.accepted) {
      try {
        await this.#verifyOpen(closing.fence);
        await this.#post(closing.last, true, closing.fence);
        closing.accepted = true;
      } catch (error) {
        if (error instanceof StoreError && error.code === 'CLOSED') return metadata.seekEnd(id);
        throw error;
      }
    }
    const known = await token;
    if (known === undefined) throw notFound(id);
    return metadata.end(id, known, closing.end, closing.begunMs);
  }

  /** As `#verify`. A closed stream keeps its end, whatever the fence. */
  async #verifyOpen(fence: Fence | undefined): Promise<void> {
    try {
      await this.#verify(fence);
    } catch (error) {
      if (error instanceof StoreError && error.code === 'FENCED') await this.#look();
      throw error;
    }
  }

  async #post(body: Uint8Array, closing: boolean, fence: Fence | undefined): Promise<void> {
    const { id, onWritten, onRefused } = this.#options;
    // Only the holder of the fence writes as its producer. Others that may close the stream have asked for the fence.
    const isHolder = fence !== undefined && this.#fenced?.fence === fence;
    const producer = isHolder ? this.#fenced!.producer : this.#own;
    for (let restarted = false; ; restarted = true) {
      const begunAt = Date.now();
      const answer = await this.#send(producer, body, closing);
      if (answer.status === 200 || answer.status === 204) {
        producer.accepted();
        if (isHolder) this.#verifiedAt = begunAt;
        onWritten(headerOf(answer.headers, STREAM_NEXT_OFFSET));
        return;
      }
      // The backend forgot this producer. Only what cannot have been written before may begin anew.
      const forgotten =
        answer.status === 409 && headerOf(answer.headers, PRODUCER_EXPECTED_SEQ) !== undefined;
      if (forgotten && !answer.uncertain && !restarted) {
        producer.restart();
        continue;
      }
      const error = refusal(id, answer, isHolder);
      if (error.code !== 'UNAVAILABLE') onRefused();
      throw error;
    }
  }

  async #send(producer: Producer, body: Uint8Array, closing: boolean): Promise<Answer> {
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

function refusal(id: string, { status, headers }: Answer, isFenced: boolean): StoreError {
  if (isGone(status)) return notFound(id);
  if (status === 409 && isTrue(headers, STREAM_CLOSED)) return closedError(id);
  // The adopter of the stream has written since.
  if (status === 403 && headerOf(headers, PRODUCER_EPOCH) !== undefined)
    return isFenced ? fencedError(id) : closedError(id);
  return unexpected('POST', status);
}
