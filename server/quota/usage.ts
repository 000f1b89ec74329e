/**
 * Bytes that count for each stream in addition to its content: its record and the logs of its keys. Without them,
 * streams without content would not count.
 */
export const STREAM_OVERHEAD_BYTES = 1_024;

/** One record: the total bytes of a stream including its overhead, or 0 after it was deleted. */
export interface UsageRecord {
  readonly streamId: string;
  readonly subject: string | undefined;
  readonly bytes: number;
}

/** Stored bytes of one subject. */
interface Tally {
  readonly subject: string | undefined;
  bytes: number;
  streams: number;
}

interface StreamUsage {
  readonly tally: Tally;
  /** 0 after the stream was deleted. */
  bytes: number;
  /** Number of the log with the stream's newest record. */
  bucket: number;
}

/** Sums the stored bytes, in total and per subject. */
export class Usage {
  readonly #entries = new Map<string, StreamUsage>();
  readonly #tallies = new Map<string | undefined, Tally>();
  #total = 0;

  /** Bytes of all streams. */
  get total(): number {
    return this.#total;
  }

  /** Bytes of a subject's streams. */
  of(subject: string | undefined): number {
    return this.#tallies.get(subject)?.bytes ?? 0;
  }

  /**
   * Applies a record. The order does not matter: streams only grow, and a deletion is final.
   * @param bucket number of the log with the record.
   */
  set({ streamId, subject, bytes }: UsageRecord, bucket: number): void {
    const known = this.#entries.get(streamId);
    if (known) {
      known.bucket = Math.max(known.bucket, bucket);
      const isDeleted = known.bytes === 0 || bytes === 0;
      this.#resize(known, isDeleted ? 0 : Math.max(known.bytes, bytes));
      return;
    }
    const tally = this.#tallies.get(subject) ?? { subject, bytes: 0, streams: 0 };
    this.#tallies.set(subject, tally);
    tally.streams += 1;
    const entry = { tally, bytes: 0, bucket };
    this.#entries.set(streamId, entry);
    this.#resize(entry, bytes);
  }

  /** Returns the records of all streams whose newest record is in this log or an earlier one. */
  recordedUntil(bucket: number): UsageRecord[] {
    const records: UsageRecord[] = [];
    for (const [streamId, { tally, bytes, bucket: newest }] of this.#entries) {
      if (newest <= bucket) records.push({ streamId, subject: tally.subject, bytes });
    }
    return records;
  }

  /** Removes all streams whose newest record is in this log or an earlier one. */
  forgetUntil(bucket: number): void {
    for (const [streamId, entry] of this.#entries) {
      if (entry.bucket > bucket) continue;
      this.#resize(entry, 0);
      this.#entries.delete(streamId);
      entry.tally.streams -= 1;
      if (entry.tally.streams === 0) this.#tallies.delete(entry.tally.subject);
    }
  }

  #resize(entry: StreamUsage, bytes: number): void {
    const growth = bytes - entry.bytes;
    entry.bytes = bytes;
    entry.tally.bytes += growth;
    this.#total += growth;
  }
}
