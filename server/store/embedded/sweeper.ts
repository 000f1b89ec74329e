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

/** Streams that one commit takes away. Each is a few lookups and writes, some 20 µs on this thread. */
const STREAMS_PER_COMMIT = 100;
/** Chunks that one commit removes. */
const CHUNKS_PER_COMMIT = 400;

export interface SweepHost {
  readonly disk: Disk;
  readonly log: CommitLog;
  readonly committer: Committer;
  /** Looks through what is in memory. */
  tidy(now: number): void;
  /** Takes away rows that have expired. True when there may be more. */
  sweepRows(): Promise<boolean>;
  /** Takes away the stream that has this expiry. Undefined when it lives on: its expiry is being moved. */
  expire(id: string, sid: Sid, expiresAt: number): Promise<void> | undefined;
}

/**
 * Takes away what has expired, in steps so small that nobody notices: an index says what is due, the stream
 * goes with its record, and its chunks follow, whatever their number.
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

  /** Resolves when the step that runs is over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  #start(): void {
    this.#running ??= this.#sweep()
      // The disk is full, or gone: writers are told, and the next interval tries again.
      .catch(() => undefined)
      .finally(() => (this.#running = undefined));
  }

  async #sweep(): Promise<void> {
    this.#host.tidy(Date.now());
    while (!this.#isStopped && (await this.#expire()));
    while (!this.#isStopped && (await this.#host.sweepRows()));
    while (!this.#isStopped && (await this.#removeChunks()));
  }

  /** True when there may be more. */
  async #expire(): Promise<boolean> {
    const { disk, log } = this.#host;
    const due = disk.entries(expiriesUntil(Date.now()), STREAMS_PER_COMMIT);
    const erasures = due.map(({ key, value: id }) => this.#host.expire(id, expirySid(key), expiryTime(key)));
    const begun = erasures.filter((erasure) => erasure !== undefined);
    await Promise.all(begun);
    // What is taken away must not be found again.
    await log.settled();
    return begun.length > 0 && due.length === STREAMS_PER_COMMIT;
  }

  /** True when there may be more. */
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
