import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import type { StreamStore } from '../store/types.ts';
import { STREAM_OVERHEAD_BYTES, Usage, type UsageRecord } from './usage.ts';
import { UsageLogs } from './usage-logs.ts';

/** Milliseconds between two exchanges of records with other processes. */
const EXCHANGE_MS = 2_000;
/** Growth of a running stream after which a record is written. Closing a stream always writes one. */
const STEP_BYTES = 65_536;
/** Growth of all running streams after which records are written at once instead of at the next exchange. */
const URGENT_BYTES = 1_048_576;
const HEADS_AT_ONCE = 16;
const RECORDS_PER_APPEND = 1_000;

/** Counts the bytes of one running stream. */
export interface StorageMeter {
  /** Bytes that may still be stored. Negative if other streams exceeded the limit. */
  readonly room: number;
  add(bytes: number): void;
  /** Ends the counting, after the stream was closed. */
  close(): void;
}

/** Limits the stored bytes, in total and per subject. */
export interface StorageQuota {
  start(): void;
  /**
   * Checks that another stream may be created.
   * @throws ProxyError `STORAGE_QUOTA_EXCEEDED`; StoreError `UNAVAILABLE` if the stored size is not known within 5 s.
   */
  admit(subject: string | undefined): Promise<void>;
  /**
   * Counts a stream that was created, or that this process continues.
   * @param storedBytes bytes that are stored already. Default 0.
   */
  open(streamId: string, subject: string | undefined, storedBytes?: number): StorageMeter;
  /** Frees the space of a deleted stream. */
  deleted(streamId: string, subject: string | undefined): void;
  stop(): Promise<void>;
}

export interface StorageLimits {
  /** Maximum bytes of all streams. */
  readonly maxStoredBytes: number;
  /** Maximum bytes of the streams of one subject. */
  readonly maxStoredBytesPerSubject: number;
  readonly streamTtlSeconds: number;
}

const UNLIMITED_METER: StorageMeter = Object.freeze({
  room: Infinity,
  add: () => undefined,
  close: () => undefined,
});

const UNLIMITED: StorageQuota = Object.freeze({
  start: () => undefined,
  admit: () => Promise.resolve(),
  open: () => UNLIMITED_METER,
  deleted: () => undefined,
  stop: () => Promise.resolve(),
});

/** Creates the quota. If both limits are off, it does nothing: no timers and no writes. */
export function createStorageQuota(limits: StorageLimits, store: StreamStore, logger: Logger): StorageQuota {
  const isOff = Math.min(limits.maxStoredBytes, limits.maxStoredBytesPerSubject) >= Number.MAX_SAFE_INTEGER;
  return isOff ? UNLIMITED : new SharedQuota(limits, store, logger);
}

/**
 * Counts the streams of this process exactly, and those of other processes by the records that they write to
 * `UsageLogs`. A stream counts until it is deleted, or until a check after its TTL finds that it has expired.
 */
class SharedQuota implements StorageQuota {
  readonly #limits: StorageLimits;
  readonly #store: StreamStore;
  readonly #logger: Logger;
  readonly #logs: UsageLogs;
  readonly #usage = new Usage();
  /** Records that are not written yet. */
  #pending = new Map<string, UsageRecord>();
  #urgentBytes = 0;
  #loaded: Promise<void> | undefined;
  #exchanging: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();
  #reviewed = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(limits: StorageLimits, store: StreamStore, logger: Logger) {
    this.#limits = limits;
    this.#store = store;
    this.#logger = logger;
    this.#logs = new UsageLogs(store, limits.streamTtlSeconds);
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#exchange(), EXCHANGE_MS).unref();
    void this.#exchange();
  }

  async admit(subject: string | undefined): Promise<void> {
    await inTime(this.#load(), CREATE_STORE_MS);
    if (this.#room(subject) >= STREAM_OVERHEAD_BYTES) return;
    const isAll = this.#limits.maxStoredBytes - this.#usage.total < STREAM_OVERHEAD_BYTES;
    throw new ProxyError(
      'STORAGE_QUOTA_EXCEEDED',
      `The storage limit ${isAll ? 'of this server' : 'for one subject'} is reached. Delete streams, or wait until they expire`,
    );
  }

  open(streamId: string, subject: string | undefined, storedBytes = 0): StorageMeter {
    let bytes = STREAM_OVERHEAD_BYTES + storedBytes;
    let reportedBytes = 0;
    const record = () => ({ streamId, subject, bytes });
    const report = () => {
      reportedBytes = bytes;
      this.#note(record());
    };
    report();
    const room = () => this.#room(subject);
    return {
      get room() {
        return room();
      },
      add: (growth) => {
        bytes += growth;
        const unreported = bytes - reportedBytes;
        if (unreported < STEP_BYTES) return this.#usage.set(record(), this.#logs.newest);
        report();
        this.#urgentBytes += unreported;
        if (this.#urgentBytes >= URGENT_BYTES) this.#write().catch((err: unknown) => this.#warn(err));
      },
      close: () => {
        if (bytes > reportedBytes) report();
      },
    };
  }

  deleted(streamId: string, subject: string | undefined): void {
    this.#note({ streamId, subject, bytes: 0 });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const written = Promise.resolve(this.#exchanging).then(() => this.#write());
    await inTime(written, CREATE_STORE_MS).catch((err: unknown) => this.#warn(err));
  }

  /** Counts a record, and writes it with the next exchange. */
  #note(record: UsageRecord): void {
    this.#usage.set(record, this.#logs.newest);
    if (this.#pending.get(record.streamId)?.bytes !== 0) this.#pending.set(record.streamId, record);
  }

  #room(subject: string | undefined): number {
    const { maxStoredBytes, maxStoredBytesPerSubject } = this.#limits;
    const room = maxStoredBytes - this.#usage.total;
    return subject === undefined ? room : Math.min(room, maxStoredBytesPerSubject - this.#usage.of(subject));
  }

  /** Resolves after the logs have been read once. */
  #load(): Promise<void> {
    this.#loaded ??= this.#read().catch((error: unknown) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  #exchange(): Promise<void> {
    this.#exchanging ??= this.#exchangeOnce()
      .catch((err: unknown) => this.#warn(err))
      .finally(() => (this.#exchanging = undefined));
    return this.#exchanging;
  }

  async #exchangeOnce(): Promise<void> {
    if (this.#loaded) {
      await this.#write();
      await this.#load();
      await this.#read();
    } else await this.#load();
    await this.#review();
  }

  async #read(): Promise<void> {
    await this.#logs.read({
      onRecord: (record, bucket) => this.#usage.set(record, bucket),
      onReviewed: (bucket) => this.#usage.forgetUntil(bucket),
    });
  }

  /** Writes pending records. One write at a time, so that the records of a stream stay in order. */
  #write(): Promise<void> {
    const writing = this.#writing.then(() => this.#writeOnce());
    this.#writing = writing.catch(() => undefined);
    return writing;
  }

  async #writeOnce(): Promise<void> {
    const records = [...this.#pending.values()];
    this.#pending = new Map();
    this.#urgentBytes = 0;
    for (let at = 0; at < records.length; at += RECORDS_PER_APPEND) {
      try {
        await this.#logs.append(records.slice(at, at + RECORDS_PER_APPEND));
      } catch (error) {
        // Retried with the next exchange, unless there is a newer record of the same stream.
        const unwritten = records.slice(at).map((record) => [record.streamId, record] as const);
        this.#pending = new Map([...unwritten, ...this.#pending]);
        throw error;
      }
    }
  }

  /**
   * Checks, in only one process, which streams with an old record still exist. Writes new records for them, then a
   * note after which all processes remove the other records. If it fails, the next check includes the same streams.
   */
  async #review(): Promise<void> {
    const { due } = this.#logs;
    if (due <= this.#reviewed) return;
    this.#reviewed = due;
    const old = this.#usage.recordedUntil(due);
    if (old.length === 0 || !(await this.#logs.takeReview(due))) return;
    for (let at = 0; at < old.length; at += HEADS_AT_ONCE) {
      await Promise.all(old.slice(at, at + HEADS_AT_ONCE).map((record) => this.#keepIfAlive(record)));
    }
    await this.#write();
    await this.#logs.append([{ reviewed: due }]);
    this.#usage.forgetUntil(due);
  }

  async #keepIfAlive(record: UsageRecord): Promise<void> {
    if (record.bytes > 0 && (await this.#store.head(record.streamId))) this.#note(record);
  }

  #warn(err: unknown): void {
    this.#logger.warn({ err }, 'could not exchange records of stored bytes with other processes');
  }
}
