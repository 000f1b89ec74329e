import { OFFSET_START } from '../../protocol/query.ts';
import { LineSplitter, sharedLogInit } from '../store/log.ts';
import { isStoreError } from '../store/is-store-error.ts';
import { logLine, parseLogLine } from '../store/record-version.ts';
import type { Offset, StreamStore } from '../store/types.ts';
import type { UsageRecord } from './usage.ts';

/** Maximum seconds between two checks of whether a stream still exists, if its TTL is longer or infinite. */
const MAX_KEPT_SECONDS = 604_800;
const BUCKETS_PER_TTL = 8;
const MIN_BUCKET_MS = 1_000;
/** Logs that a starting process reads: those of one TTL, and those whose streams are being checked. */
const BUCKETS_READ = BUCKETS_PER_TTL + 4;
const READ_BYTES = 262_144;

/** A line of a log: a record, or a note that all records in the log `reviewed` and in earlier logs are obsolete. */
type Line = UsageRecord | { readonly reviewed: number };

interface Cursor {
  offset: Offset;
  readonly lines: LineSplitter;
}

export interface UsageReader {
  onRecord(record: UsageRecord, bucket: number): void;
  onReviewed(bucket: number): void;
}

/**
 * Records of the sizes of streams, shared by all processes on a store: one log for each eighth of a TTL. When a process
 * starts, it reads the logs of one TTL, then the additions to the newest two. A log expires when all its records have
 * been checked.
 */
export class UsageLogs {
  /** Milliseconds covered by one log. */
  readonly bucketMs: number;
  readonly #store: StreamStore;
  readonly #ttlMs: number;
  readonly #cursors = new Map<number, Cursor>();
  #newestRead: number | undefined;
  #created: number | undefined;

  constructor(store: StreamStore, ttlSeconds: number) {
    this.#store = store;
    this.#ttlMs = Math.min(ttlSeconds, MAX_KEPT_SECONDS) * 1_000;
    this.bucketMs = Math.max(MIN_BUCKET_MS, Math.ceil(this.#ttlMs / BUCKETS_PER_TTL));
  }

  /** Number of the log for records that are written now. */
  get newest(): number {
    return Math.floor(Date.now() / this.bucketMs);
  }

  /**
   * Number of the newest log in which every record is older than a TTL: its streams have expired, unless they were
   * read. A store may keep a stream for an eighth of its TTL longer.
   */
  get due(): number {
    return Math.floor((Date.now() - this.#ttlMs) / this.bucketMs) - 2;
  }

  /**
   * Appends records.
   * @returns the number of their log.
   */
  async append(lines: readonly Line[]): Promise<number> {
    const bucket = this.newest;
    const bytes = Buffer.from(lines.map((line) => `${logLine(line)}\n`).join(''));
    if (this.#created !== bucket) await this.#create(bucket);
    try {
      await this.#store.append(this.#idOf(bucket), bytes);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await this.#create(bucket);
      await this.#store.append(this.#idOf(bucket), bytes);
    }
    return bucket;
  }

  /**
   * Reads the lines that were appended since the last call, in the order of the logs. The first call reads the logs of
   * one TTL.
   */
  async read(reader: UsageReader): Promise<void> {
    const { newest } = this;
    const first = this.#newestRead === undefined ? newest - BUCKETS_READ : this.#newestRead - 1;
    for (let bucket = first; bucket <= newest; bucket += 1) await this.#readOne(bucket, reader);
    this.#newestRead = newest;
    for (const bucket of this.#cursors.keys()) if (bucket < newest - 1) this.#cursors.delete(bucket);
  }

  /** Takes the check of a log's streams. Returns true in exactly one process. */
  takeReview(bucket: number): Promise<boolean> {
    const ttlSeconds = Math.ceil((this.bucketMs * BUCKETS_READ) / 1_000);
    return this.#store.create(`${this.#idOf(bucket)}-review`, sharedLogInit(ttlSeconds));
  }

  async #readOne(bucket: number, reader: UsageReader): Promise<void> {
    const cursor = this.#cursors.get(bucket) ?? { offset: OFFSET_START, lines: new LineSplitter() };
    this.#cursors.set(bucket, cursor);
    try {
      for (;;) {
        const { bytes, next, upToDate } = await this.#store.read(
          this.#idOf(bucket),
          cursor.offset,
          READ_BYTES,
        );
        cursor.offset = next;
        for (const line of cursor.lines.push(bytes)) take(line, bucket, reader);
        if (upToDate || bytes.length === 0) return;
      }
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async #create(bucket: number): Promise<void> {
    const ttlSeconds = Math.ceil((this.#ttlMs + BUCKETS_READ * this.bucketMs) / 1_000);
    await this.#store.create(this.#idOf(bucket), sharedLogInit(ttlSeconds));
    this.#created = bucket;
  }

  #idOf(bucket: number): string {
    return `usage-${this.bucketMs}-${bucket}`;
  }
}

function take(text: string, bucket: number, reader: UsageReader): void {
  const line = parseLogLine(text, 'The record of stored bytes') as Line | undefined;
  if (!line) return;
  if ('reviewed' in line) reader.onReviewed(line.reviewed);
  else reader.onRecord(line, bucket);
}

function isMissing(error: unknown): boolean {
  return isStoreError(error, 'NOT_FOUND');
}
