import { STREAM_CLOSED, STREAM_NEXT_OFFSET } from '../../../protocol/headers.ts';
import { type Offset, type StreamEnd, StoreError } from '../types.ts';
import type { Answer, Backend } from './backend.ts';
import type { Metadata } from './meta.ts';
import {
  closedError,
  DATA_CONTENT_TYPE,
  headerOf,
  isGone,
  isTrue,
  notFound,
  PRODUCER_EPOCH,
  PRODUCER_EXPECTED_SEQ,
  PRODUCER_ID,
  PRODUCER_SEQ,
  unexpected,
} from './wire.ts';

/** Longest body of a request. A longer append takes several. */
const MAX_BODY = 4_194_304;
/** Appends that wait while one is under way go out together, up to this many bytes. */
const MAX_BATCH = 1_048_576;

interface Append {
  readonly bytes: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

interface Close {
  readonly end: StreamEnd;
  readonly last: Uint8Array;
  resolve(end: StreamEnd): void;
  reject(error: unknown): void;
}

/** A closing whose fate may be open: asked for again, it is the same request, so that it is done once. */
interface Closing {
  readonly end: StreamEnd;
  readonly last: Uint8Array;
  readonly begunMs: number;
  accepted: boolean;
}

export interface WriterOptions {
  readonly id: string;
  /** Never used before: a backend takes a repeated one with small numbers for a repetition. */
  readonly producerId: string;
  /** Of the life that this process created; otherwise the log is asked. */
  readonly token?: string | undefined;
  readonly backend: Backend;
  readonly metadata: Metadata;
  /** Bytes or a closing are at the backend; up to where, if it said so. */
  readonly onWritten: (next: Offset | undefined) => void;
  /** Somebody else closed or deleted the stream. */
  readonly onRefused: () => void;
}

/**
 * All that this process writes to one stream: in order, one request at a time, each exactly once by the
 * producer headers. After a failure that leaves open whether a request was carried out the epoch rises, so
 * that it cannot be carried out late, behind what comes after it.
 */
export class Writer {
  readonly #options: WriterOptions;
  readonly #queue: (Append | Close)[] = [];
  #running: Promise<void> | undefined;
  #epoch = 0;
  #seq = 0;
  #closing: Closing | undefined;
  #end: StreamEnd | undefined;
  #abandoned = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** The life that this process created; undefined if it was another process. */
  get token(): string | undefined {
    return this.#options.token;
  }

  /** There while something is under way; resolves when it is done. */
  get busy(): Promise<void> | undefined {
    return this.#running;
  }

  append(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => this.#enqueue({ bytes, resolve, reject }));
  }

  close(end: StreamEnd, last: Uint8Array = new Uint8Array(0)): Promise<StreamEnd> {
    return new Promise((resolve, reject) => this.#enqueue({ end, last, resolve, reject }));
  }

  /** Refuses what has not begun, since the stream is being deleted; resolves when what has begun is over. */
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
        await this.#append(joined(batch)).then(
          () => batch.forEach(({ resolve }) => resolve()),
          (error: unknown) => batch.forEach(({ reject }) => reject(error)),
        );
      }
    }
    // In the same step as the look at the queue, so that nothing slips in between.
    this.#running = undefined;
  }

  #takeBatch(): Append[] {
    let length = 0;
    let count = 0;
    for (const operation of this.#queue) {
      if ('end' in operation || (count > 0 && length + operation.bytes.length > MAX_BATCH)) break;
      length += operation.bytes.length;
      count += 1;
    }
    return this.#queue.splice(0, count) as Append[];
  }

  async #append(bytes: Uint8Array): Promise<void> {
    if (this.#closing) throw closedError(this.#options.id);
    if (bytes.length === 0) return this.#look();
    for (let at = 0; at < bytes.length; at += MAX_BODY) {
      await this.#post(bytes.subarray(at, at + MAX_BODY), false);
    }
  }

  /** A request cannot carry nothing; what it would have been answered is known all the same. */
  async #look(): Promise<void> {
    const { backend, id } = this.#options;
    const { status, headers } = await backend.send({ method: 'HEAD', path: id });
    if (isGone(status)) throw notFound(id);
    if (status !== 200) throw unexpected('HEAD', status);
    if (isTrue(headers, STREAM_CLOSED)) throw closedError(id);
  }

  async #close({ end, last }: Close): Promise<StreamEnd> {
    if (this.#end) return this.#end;
    const { id, metadata } = this.#options;
    const ending = this.#finish(
      (this.#closing ??= { end, last, begunMs: performance.now(), accepted: false }),
    );
    metadata.announce(id, ending);
    this.#end = await ending;
    return this.#end;
  }

  async #finish(closing: Closing): Promise<StreamEnd> {
    const { id, metadata } = this.#options;
    const token = this.#options.token ?? metadata.read(id).then((incarnation) => incarnation?.token);
    // Its failure counts only when the closing succeeded.
    Promise.resolve(token).catch(() => undefined);
    if (!closing.accepted) {
      try {
        await this.#post(closing.last, true);
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

  async #post(body: Uint8Array, closing: boolean): Promise<void> {
    const { id, onWritten, onRefused } = this.#options;
    for (let restarted = false; ; restarted = true) {
      const answer = await this.#send(body, closing);
      if (answer.status === 200 || answer.status === 204) {
        this.#seq += 1;
        onWritten(headerOf(answer.headers, STREAM_NEXT_OFFSET));
        return;
      }
      // The backend forgot this producer. Only what cannot have been written before may begin anew.
      const forgotten =
        answer.status === 409 && headerOf(answer.headers, PRODUCER_EXPECTED_SEQ) !== undefined;
      if (forgotten && !answer.uncertain && !restarted) {
        this.#fence();
        continue;
      }
      const error = refusal(id, answer);
      if (error.code !== 'UNAVAILABLE') onRefused();
      throw error;
    }
  }

  async #send(body: Uint8Array, closing: boolean): Promise<Answer> {
    const { backend, id, producerId } = this.#options;
    try {
      return await backend.send({
        method: 'POST',
        path: id,
        headers: {
          ...(body.length > 0 && { 'content-type': DATA_CONTENT_TYPE }),
          ...(closing && { [STREAM_CLOSED]: 'true' }),
          [PRODUCER_ID]: producerId,
          [PRODUCER_EPOCH]: String(this.#epoch),
          [PRODUCER_SEQ]: String(this.#seq),
        },
        ...(body.length > 0 && { body }),
      });
    } catch (error) {
      if (!closing) this.#fence();
      throw error;
    }
  }

  #fence(): void {
    this.#epoch += 1;
    this.#seq = 0;
  }
}

function joined(batch: readonly Append[]): Uint8Array {
  return batch.length === 1 ? batch[0]!.bytes : Buffer.concat(batch.map(({ bytes }) => bytes));
}

function refusal(id: string, { status, headers }: Answer): StoreError {
  if (isGone(status)) return notFound(id);
  if (status === 409 && isTrue(headers, STREAM_CLOSED)) return closedError(id);
  // A zombie, fenced off by whoever took its place.
  if (status === 403 && headerOf(headers, PRODUCER_EPOCH) !== undefined) return closedError(id);
  return unexpected('POST', status);
}
