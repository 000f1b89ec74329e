import type { Readable } from 'node:stream';
import type { FormatReader } from '../formats/reader.ts';
import { retry, type Pauses } from '../shared/retry.ts';
import type { StorageMeter } from '../quota/quota.ts';
import { StoreError, type Fence, type StreamEnd, type StreamStore } from '../store/types.ts';
import { classifyBodyError, discardBody } from '../upstream/client.ts';
import { endOfBody, endOfFailure, withUsage } from './verdict.ts';

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
  error: { code: 'STORAGE_QUOTA_EXCEEDED', message: 'The storage limit was reached in mid-answer' },
};

export interface PumpOptions {
  readonly streamId: string;
  readonly store: StreamStore;
  /** `maxResponseBytes`: bytes over the limit are dropped, and the stream is closed as `too-large`. */
  readonly maxBytes: number;
  /** Limits the stored bytes in total: bytes over the limit are dropped, and the stream is closed as `too-large`. */
  readonly meter: StorageMeter;
  /** `upstreamLingerMs`: milliseconds that the connection may stay open after the end of the answer by its format. */
  readonly lingerMs: number;
  readonly onFirstByte: () => void;
  /** Called with the milliseconds of each append that the store accepted. */
  readonly onAppend?: ((ms: number) => void) | undefined;
  /** Called when the outcome is decided, before it is stored. */
  readonly onEnd?: () => void;
  /** Stores the last bytes and the end. Called again if it throws `UNAVAILABLE`. */
  readonly close: (end: StreamEnd, last: Uint8Array | undefined) => Promise<StreamEnd>;
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
 * Copies the upstream body into the store. At most one append is in flight; chunks that arrive meanwhile are batched
 * into the next one, so latency stays low and batching grows with load. The last bytes and the closing are one write.
 */
export class Pump {
  /** Resolves when the stream is closed or deleted. Never rejects. */
  readonly done: Promise<StreamEnd>;
  /** Bytes of the stream so far: received from the upstream by this process, or stored before. */
  bytes: number;

  /** Releases the stream for another process. Undefined if no other process could continue it. */
  handOver: (() => Promise<void>) | undefined;

  readonly #options: PumpOptions;
  #isReleased = false;
  #body: Readable | undefined;
  #reader: FormatReader | undefined;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #appending = false;
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
   * Starts reading the upstream's body. Called at most once. Discards the body if the stream has ended meanwhile.
   * @param reader parses the format of the answer.
   */
  attach(body: Readable, reader?: FormatReader): void {
    if (this.#end) return discardBody(body);
    this.#body = body;
    this.#reader = reader;
    body
      .on('data', (chunk: Buffer) => this.#take(chunk))
      .on('end', () => this.#endWith(endOfBody(reader)))
      .on('error', (error) => this.#fail(error))
      // A body that is destroyed without an error emits only `close`. After an end, this has no effect.
      .on('close', () => this.#fail(new Error('the connection closed before the body ended')));
    // A body that has failed already emits no event.
    if (body.destroyed) this.#fail(body.errored ?? new Error('the body was destroyed'));
  }

  /** Ends the stream with these bytes instead of a body: the upstream's error response. */
  refuse(end: StreamEnd, bytes: Uint8Array): void {
    if (this.#end) return;
    this.#keep(bytes.subarray(0, this.#options.meter.room));
    this.#endWith(end);
  }

  /** True if received bytes have not been stored. */
  get isBehind(): boolean {
    return this.#appending || this.#pendingBytes > 0 || (this.#body?.readableLength ?? 0) > 0;
  }

  /** Resolves when all received bytes are stored. Does not resolve if the stream ends before. */
  flushed(): Promise<void> {
    return this.isBehind ? new Promise((resolve) => this.#onFlushed.push(resolve)) : Promise.resolve();
  }

  /**
   * Cancels the upstream request, flushes the received bytes, and closes the stream with this end. Idempotent: the
   * first end counts.
   */
  stop(end: StreamEnd): Promise<StreamEnd> {
    // Bytes that backpressure had left in the body were received too.
    while (!this.#end && this.#body && this.#body.read() !== null);
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
    while (!this.#end && this.#body && this.#body.read() !== null);
    if (!this.#end) {
      this.#isReleased = true;
      this.#endWith(HANDED_OVER);
    }
    await this.done;
    return this.#isReleased;
  }

  #take(chunk: Buffer): void {
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
    else if (this.#pendingBytes > HIGH_WATER_BYTES) this.#body?.pause();
  }

  #keep(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.bytes += chunk.length;
    this.#options.meter.add(chunk.length);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    this.#reader?.push(chunk);
    if (this.#reader?.isFinal) this.#linger();
  }

  /** Waits for bytes after the end by the format, and for the upstream to close its connection. */
  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => {
      // A paused body may have more bytes.
      if (this.#body?.isPaused()) this.#linger();
      else void this.stop(endOfBody(this.#reader));
    }, this.#options.lingerMs);
  }

  #fail(error: Error): void {
    this.#endWith(endOfFailure(endOf(error), this.#reader));
  }

  #endWith(end: StreamEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearTimeout(this.#lingering);
    // Also after a complete answer, because an upstream may keep its connection open.
    if (this.#body && !this.#body.readableEnded) discardBody(this.#body);
    this.#options.onEnd?.();
    if (!this.#appending) void this.#close();
  }

  #append(): void {
    const { store, streamId, onAppend } = this.#options;
    this.#appending = true;
    let appended = store.append(streamId, this.#drain(), this.#options.fence);
    if (onAppend) appended = timed(appended, onAppend);
    appended.then(this.#onAppended, this.#onLost);
  }

  readonly #onAppended = (): void => {
    this.#appending = false;
    if (this.#body?.isPaused()) this.#body.resume();
    if (this.#end) void this.#close();
    else if (this.#pendingBytes > 0) this.#append();
    else if (this.#onFlushed.length > 0 && !this.isBehind) {
      for (const resolve of this.#onFlushed.splice(0)) resolve();
    }
  };

  readonly #onLost = (error: unknown): void => {
    this.#appending = false;
    // It is unknown whether those bytes were written; retrying could store them twice.
    this.#drain();
    const end = lostStore(error);
    if (error instanceof StoreError && error.code === 'FENCED') {
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
    const { store, streamId, giveUp, close, fence } = this.#options;
    if (this.#isReleased) {
      if (this.#pendingBytes > 0) await store.append(streamId, this.#drain(), fence).catch(() => undefined);
      return this.#finish(this.#end!);
    }
    let end = withUsage(this.#end!, this.#reader);
    if (this.handOver && this.#pendingBytes > 0) {
      // Once the end is noted, another process may close the stream.
      await store.append(streamId, this.#drain(), fence).catch((err: unknown) => (end = lostStore(err)));
    }
    let last: Uint8Array | undefined = this.#pendingBytes > 0 ? this.#drain() : undefined;
    const attempt = async (): Promise<StreamEnd> => {
      try {
        return await close(end, last);
      } catch (error) {
        // Whether those bytes were written is unknown.
        if (last && isTemporary(error)) end = withUsage(lostStore(error), this.#reader);
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
      this.#finish(this.#isReleased ? lostStore(error) : DELETED);
    }
  }

  #drain(): Uint8Array {
    const bytes =
      this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    return bytes;
  }
}

/** Reports how long a promise took to resolve. */
async function timed(promise: Promise<void>, report: (ms: number) => void): Promise<void> {
  const begunAt = performance.now();
  await promise;
  report(performance.now() - begunAt);
}

/** Returns false if the stream was deleted or adopted by another process. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof StoreError && (error.code === 'FENCED' || error.code === 'NOT_FOUND'));
}

function tooLarge(maxBytes: number): StreamEnd {
  return {
    outcome: 'too-large',
    error: { code: 'RESPONSE_TOO_LARGE', message: `The answer is over ${maxBytes} bytes` },
  };
}

function endOf(error: Error): StreamEnd {
  const code = (error as { code?: unknown }).code;
  return classifyBodyError(error) === 'timeout'
    ? {
        outcome: 'timeout',
        error: {
          code: 'UPSTREAM_TIMEOUT',
          message: 'The answer was cut off: the upstream sent nothing for too long',
        },
      }
    : {
        outcome: 'upstream-error',
        error: {
          code: 'UPSTREAM_ERROR',
          message: `The answer was cut off: the connection to the upstream broke${typeof code === 'string' ? ` (${code})` : ''}`,
        },
      };
}

/** Returns the end of a stream after a failure of the store. */
export function lostStore(error: unknown): StreamEnd {
  const reason = error instanceof StoreError && error.code !== 'UNAVAILABLE' ? error.code : 'STORAGE_ERROR';
  return {
    outcome: 'interrupted',
    error: { code: reason, message: 'The store of streams failed in mid-answer' },
  };
}
