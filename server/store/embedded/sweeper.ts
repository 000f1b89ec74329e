import type { Committer } from './committer.ts';
import type { Disk } from './disk.ts';
import type { CommitLog } from './write-behind.ts';
import {
  chunksOf,
  expiriesUntil,
  expirySid,
  expiryTime,
  TRASH_STREAMS,
  trashKey,
  trashSid,
  type Sid,
} from './keys.ts';

/**
 * Maximum number of streams that one commit removes. Each takes a few lookups and writes, about 20 µs on this thread.
 */
const STREAMS_PER_COMMIT = 100;
/** Maximum number of chunks that one commit removes. */
const CHUNKS_PER_COMMIT = 400;

export interface SweepHost {
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
  /** Sweeps the streams in memory. */
  tidy(now: number): void;
  /** Removes rows that have expired. Returns true if there may be more. */
  sweepRows(): Promise<boolean>;
  /**
   * Removes the stream with this expiry. Returns undefined if the stream has not expired: its expiry is being moved.
   */
  expire(id: string, sid: Sid, expiresAt: number): Promise<void> | undefined;
}

/**
 * Removes expired streams and rows, in steps that are too small to delay other work. An index lists those that are
 * due. A stream is deleted together with its record; its chunks are removed afterwards, however many there are.
 */
export class Sweeper {
  readonly #host: SweepHost;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(host: SweepHost, intervalMs: number) {
    this.#host = host;
    this.#timer = setInterval(() => this.#start(), intervalMs).unref();
  }

  /** Resolves when the current step has finished. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#sweep()
      // The disk is full or unavailable. Writers receive an error, and the next interval tries again.
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async #sweep(): Promise<void> {
    this.#host.tidy(Date.now());
    while (!this.#isStopped && (await this.#expire()));
    while (!this.#isStopped && (await this.#host.sweepRows()));
    while (!this.#isStopped && (await this.#removeChunks()));
  }

  /** Returns true if there may be more. */
  async #expire(): Promise<boolean> {
    const { disk, log } = this.#host;
    const due = disk.entries(expiriesUntil(Date.now()), STREAMS_PER_COMMIT);
    const erasures = due.map(({ key, value: id }) => this.#host.expire(id, expirySid(key), expiryTime(key)));
    const begun = erasures.filter((erasure) => erasure !== undefined);
    await Promise.all(begun);
    // Waits, so that removed keys are not found again.
    await log.settled();
    return begun.length > 0 && due.length === STREAMS_PER_COMMIT;
  }

  /** Returns true if there may be more. */
  async #removeChunks(): Promise<boolean> {
    const { disk, log, committer } = this.#host;
    const remove: Buffer[] = [];
    for (const { key } of disk.entries(TRASH_STREAMS, STREAMS_PER_COMMIT)) {
      const room = CHUNKS_PER_COMMIT - remove.length;
      const sid = trashSid(key);
      const chunks = disk.keys(chunksOf(sid), room);
      for (const chunk of chunks) remove.push(chunk);
      if (chunks.length === room) break;
      remove.push(trashKey(sid));
    }
    if (remove.length === 0) return false;
    await committer.run((to) => remove.forEach((key) => to.remove(key)));
    await log.settled();
    return true;
  }
}
