import type { FormatReader } from '../formats/reader.ts';
import { retry, type Pauses } from '../shared/retry.ts';
import type { StorageMeter } from '../quota/quota.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { Fence, StoreError, StreamEnd, StreamStore } from '../store/types.ts';
import type { Source } from './source.ts';
import { endOfBody, endOfBodyError, endOfFailure, endOfStoreFailure, withUsage } from './verdict.ts';

/** Unwritten bytes above which the upstream is paused. It is resumed when they are being written. */
const HIGH_WATER_BYTES = 1_048_576;
/** Milliseconds between attempts to close a stream whose store is down. */
const CLOSE_PAUSES: Pauses = [250, 30_000];

const HANDED_OVER: StreamEnd = {
  outcome: 'interrupted',
  error: { code: 'SHUTTING_DOWN', message: 'Another process continues the stream' },
};
const DELETED: StreamEnd = {
  outcome: 'aborted',
  error: { code: 'STREAM_NOT_FOUND', message: 'The stream was deleted' },
};
const QUOTA_EXCEEDED: StreamEnd = {
  outcome: 'too-large',
  error: {
    code: 'STORAGE_QUOTA_EXCEEDED',
    message: 'The storage limit was reached before the answer was complete',
  },
};

export interface PumpOptions {
  readonly streamId: string;
  readonly store: StreamStore;
  /** `maxResponseBytes`: bytes over the limit are dropped, and the stream is closed as `too-large`. */
  readonly maxBytes: number;
  /** Limits the stored bytes in total: bytes over the limit are dropped, and the stream is closed as `too-large`. */
  readonly meter: StorageMeter;
  /**
   * `upstreamLingerMs`: milliseconds that the connection may stay open after the answer has ended according to its
   * format.
   */
  readonly lingerMs: number;
  readonly onFirstByte: () => void;
  /** Called with the milliseconds of each append that the store accepted. Must not throw. */
  readonly onAppend?: ((ms: number) => void) | undefined;
  /** Called when the outcome is decided, before it is stored. */
  readonly onEnd?: () => void;
  /** Stores the last bytes and the end. Called again if it throws `UNAVAILABLE`. */
  readonly close: (end: StreamEnd, last: Uint8Array | undefined) => Promise<StreamEnd>;
  /**
   * Returns the bytes of the stream in the store. Called before `close` if a write failed, because the store may have
   * written its bytes. Errors have the same effect as those of `close`.
   */
  readonly countStored: () => Promise<number>;
  /** Fence of this process: see `ByteStore`. */
  readonly fence: Fence;
  /**
   * Bytes that are stored already, if another process started the stream.
   * @default 0
   */
  readonly storedBytes?: number;
  /** Aborted at shutdown. Ends the attempts to close a stream while the store is unavailable. */
  readonly giveUp: AbortSignal;
}

/**
 * Copies the upstream body into the store. At most one append is in flight; chunks that arrive during it are batched
 * into the next one, so latency stays low and batching grows with load. The last bytes and the end are stored in one
 * write.
 */
export class Pump {
  /** Resolves when the stream is closed or deleted. Never rejects. */
  readonly done: Promise<StreamEnd>;
  /**
   * Bytes of the stream so far: received from the upstream by this process, or stored before. Without the bytes that
   * failed writes have lost.
   */
  bytes: number;

  /** Releases the stream for another process. Undefined if no other process can continue the stream. */
  handOver: (() => Promise<void>) | undefined;

  readonly #options: PumpOptions;
  #isReleased = false;
  #source: Source | undefined;
  #reader: FormatReader | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #appending = false;
  #appendingBytes = 0;
  #appendStartedAt = 0;
  /** True if a write failed, so that only the store knows whether it has the bytes. */
  #isUnsure = false;
  #end: StreamEnd | undefined;
  #closing = false;
  #onFlushed: (() => void)[] = [];
  #lingering: NodeJS.Timeout | undefined;
  #finish!: (end: StreamEnd) => void;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.bytes = options.storedBytes ?? 0;
    this.done = new Promise((resolve) => (this.#finish = resolve));
  }

  /**
   * Starts reading the upstream's body. Called at most once. Discards the body if the stream has already ended.
   * @param reader parses the format of the answer.
   */
  attach(source: Source, reader?: FormatReader): void {
    if (this.#end) return source.discard();
    this.#source = source;
    this.#reader = reader;
    source.deliverTo({
      data: (chunk) => this.#take(chunk),
      ended: () => this.#endWith(endOfBody(reader)),
      failed: (error) => this.#endWith(endOfFailure(endOfBodyError(error), reader)),
    });
  }

  /** Ends the stream with these bytes instead of a body: the upstream's error response. */
  refuse(end: StreamEnd, bytes: Uint8Array): void {
    if (this.#end) return;
    this.#keep(bytes.subarray(0, Math.max(0, this.#options.meter.room)));
    this.#endWith(end);
  }

  /** True if received bytes have not been stored. */
  get isBehind(): boolean {
    return this.#appending || this.#pendingBytes > 0 || (this.#source?.isBehind ?? false);
  }

  /** Resolves when all received bytes are stored. Does not resolve if the stream ends first. */
  flushed(): Promise<void> {
    return this.isBehind ? new Promise((resolve) => this.#onFlushed.push(resolve)) : Promise.resolve();
  }

  /**
   * Cancels the upstream request, flushes the received bytes, and closes the stream with this end. Idempotent: the
   * first end counts.
   */
  stop(end: StreamEnd): Promise<StreamEnd> {
    // Bytes that backpressure had left in the source were received too.
    if (!this.#end) this.#source?.drain();
    this.#endWith(end);
    return this.done;
  }

  get fence(): Fence {
    return this.#options.fence;
  }

  /** True if the stream was released for another process. */
  get isReleased(): boolean {
    return this.#isReleased;
  }

  /**
   * Closes the upstream connection and stores the received bytes, but leaves the stream open. No effect if the outcome
   * is decided. Resolves with `isReleased`.
   */
  async release(): Promise<boolean> {
    if (!this.#end) this.#source?.drain();
    if (!this.#end) {
      this.#isReleased = true;
      this.#endWith(HANDED_OVER);
    }
    await this.done;
    return this.#isReleased;
  }

  #take(chunk: Uint8Array): void {
    if (this.#end) return;
    if (this.bytes === 0) this.#options.onFirstByte();
    const { maxBytes, meter } = this.#options;
    const left = maxBytes - this.bytes;
    const room = Math.max(0, Math.min(left, meter.room));
    if (chunk.length > room) {
      this.#keep(chunk.subarray(0, room));
      this.#endWith(room < left ? QUOTA_EXCEEDED : tooLarge(maxBytes));
      return;
    }
    this.#keep(chunk);
    if (!this.#appending) this.#append();
    else if (this.#pendingBytes > HIGH_WATER_BYTES) this.#source?.pause();
  }

  #keep(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.bytes += chunk.length;
    this.#options.meter.add(chunk.length);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#reader?.push(chunk);
    if (this.#reader?.isFinal) this.#linger();
    // In some formats, an event that looks like the end may be followed by more of the answer.
    else clearTimeout(this.#lingering);
  }

  /**
   * After the answer has ended according to its format, waits for more bytes or for the upstream to close its
   * connection.
   */
  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => {
      // A paused body may have more bytes.
      if (this.#source?.isPaused) this.#linger();
      else void this.stop(endOfBody(this.#reader));
    }, this.#options.lingerMs);
  }

  #endWith(end: StreamEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearTimeout(this.#lingering);
    // Needed after a complete answer too, because an upstream may keep its connection open.
    this.#source?.discard();
    this.#options.onEnd?.();
    if (!this.#appending) void this.#close();
  }

  #append(): void {
    const { store, streamId, onAppend } = this.#options;
    this.#appending = true;
    this.#appendingBytes = this.#pendingBytes;
    if (onAppend) this.#appendStartedAt = performance.now();
    store.append(streamId, this.#drain(), this.#options.fence).then(this.#onAppended, this.#onLost);
  }

  readonly #onAppended = (): void => {
    this.#appending = false;
    this.#options.onAppend?.(performance.now() - this.#appendStartedAt);
    if (this.#source?.isPaused) this.#source.resume();
    if (this.#end) void this.#close();
    else if (this.#pendingBytes > 0) this.#append();
    else if (this.#onFlushed.length > 0 && !this.isBehind) {
      for (const resolve of this.#onFlushed.splice(0)) resolve();
    }
  };

  readonly #onLost = (error: unknown): void => {
    this.#appending = false;
    // It is unknown whether those bytes were written; retrying could store them twice.
    this.#lose(this.#appendingBytes + this.#drain().length);
    const end = endOfStoreFailure(error);
    if (isStoreError(error, 'FENCED')) {
      // Another process continues the stream, so this process must not close it.
      this.#closing = this.#isReleased = true;
      this.#finish(end);
    }
    this.#end = undefined;
    this.#endWith(end);
  };

  async #close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    const { store, streamId, giveUp, countStored, close, fence } = this.#options;
    if (this.#isReleased) {
      if (this.#pendingBytes > 0) await store.append(streamId, this.#drain(), fence).catch(() => undefined);
      return this.#finish(this.#end!);
    }
    let end = withUsage(this.#end!, this.#reader);
    if (this.handOver && this.#pendingBytes > 0) {
      // `close` stores the end in the metadata first; from then on, another process may close the stream.
      const bytes = this.#drain();
      await store.append(streamId, bytes, fence).catch((err: unknown) => {
        this.#lose(bytes.length);
        end = withUsage(endOfStoreFailure(err), this.#reader);
      });
    }
    let last: Uint8Array | undefined = this.#pendingBytes > 0 ? this.#drain() : undefined;
    const attempt = async (): Promise<StreamEnd> => {
      try {
        if (this.#isUnsure) this.bytes = await countStored();
        return await close(end, last);
      } catch (error) {
        // Whether those bytes were written is unknown.
        if (last && isTemporary(error)) end = withUsage(endOfStoreFailure(error), this.#reader);
        if (last) this.#lose(last.length);
        last = undefined;
        throw error;
      }
    };
    try {
      // Other processes do not close streams of a live process, so it must retry.
      this.#finish(await retry(attempt, { pauses: CLOSE_PAUSES, signal: giveUp, isTemporary }));
    } catch (error) {
      if (isTemporary(error)) return this.#finish(end);
      this.#isReleased = (error as StoreError).code === 'FENCED';
      this.#finish(this.#isReleased ? endOfStoreFailure(error) : DELETED);
    }
  }

  #lose(bytes: number): void {
    this.#isUnsure = true;
    this.bytes -= bytes;
  }

  #drain(): Uint8Array {
    const bytes =
      this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    return bytes;
  }
}

/** Returns false if the stream was deleted or adopted by another process. */
function isTemporary(error: unknown): boolean {
  return !isStoreError(error, 'FENCED', 'NOT_FOUND');
}

function tooLarge(maxBytes: number): StreamEnd {
  return {
    outcome: 'too-large',
    error: { code: 'RESPONSE_TOO_LARGE', message: `The answer is over ${maxBytes} bytes` },
  };
}
