import { randomUUID } from 'node:crypto';
import type { Logger } from '../shared/logger.ts';
import { LineSplitter } from '../store/log.ts';
import { KIND_PROCESS } from '../store/metadata.ts';
import { StoreError, type Follower, type Offset, type StreamStore } from '../store/types.ts';
import { OFFSET_START } from '../../protocol/query.ts';

/** Seconds without a sign of life after which a process counts as dead. */
const LEASE_SECONDS = 5;
/** Three signs of life a lease, so that one lost request or a long pause kills nobody. */
const RENEW_MS = 1_500;

/**
 * Milliseconds without a renewal that count as an outage of the store. In an outage that let the lease of another
 * process run out, this process could not renew its own for at least a lease minus one interval.
 */
const OUTAGE_MS = 2 * RENEW_MS;

const ABORT = 'abort ';
const WAITING = 'waiting ';

export interface PresenceOptions {
  readonly store: StreamStore;
  readonly logger: Logger;
  /** A process that took a PATCH or DELETE asks the one that holds the upstream. */
  readonly onAbort: (streamId: string) => void;
  /** Another process has a caller that waits for the upstream's headers of this stream. */
  readonly onWaiting: (streamId: string) => void;
}

/**
 * What several processes on one store know of each other: each keeps one small log, which is its lease (it
 * vanishes by its TTL when nobody renews it) and its mailbox (others append what they want of it).
 */
export class Presence {
  readonly id: string = randomUUID();
  readonly #options: PresenceOptions;
  #follower: Follower | undefined;
  #offset: Offset = OFFSET_START;
  #lines = new LineSplitter();
  #timer: NodeJS.Timeout | undefined;
  #renewing = false;
  /** When this process last renewed its lease (`performance.now()`). */
  #renewedAt: number | undefined;
  /** Until then, no other process counts as dead. */
  #unsureUntil = 0;
  #stopped = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#join();
    this.#renewed();
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
    this.#timer.unref();
  }

  /**
   * Returns whether a process exists. Also true while, and for one lease after, this process could not renew its
   * own lease: others could not renew theirs either, and need time to do so once the store is back.
   */
  async isAlive(owner: string): Promise<boolean> {
    if (this.#isUnsure()) return true;
    return owner === this.id || (await this.#options.store.head(logOf(owner))) !== undefined;
  }

  /** Asks the owner to abort a stream or a create. Returns false if the process does not exist any more. */
  askToAbort(owner: string, streamId: string): Promise<boolean> {
    return this.#send(owner, `${ABORT}${streamId}`);
  }

  /** Tells the owner that a caller waits here for its create. Returns false if the process does not exist any more. */
  tellWaiting(owner: string, streamId: string): Promise<boolean> {
    return this.#send(owner, `${WAITING}${streamId}`);
  }

  async #send(owner: string, message: string): Promise<boolean> {
    try {
      await this.#options.store.append(logOf(owner), Buffer.from(`${message}\n`));
      return true;
    } catch (error) {
      if (error instanceof StoreError && (error.code === 'NOT_FOUND' || error.code === 'CLOSED'))
        return false;
      throw error;
    }
  }

  /** Leaves: others see at once that this process is gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#follower?.stop();
    await this.#options.store.delete(logOf(this.id)).catch((err: unknown) => {
      this.#options.logger.warn({ err }, 'could not give up the lease; it runs out by itself');
    });
  }

  #isUnsure(): boolean {
    const now = performance.now();
    if (this.#renewedAt === undefined) return false;
    // Looked at before the timer could run, for example after the process was suspended, this is an outage too.
    if (now - this.#renewedAt > OUTAGE_MS) this.#unsureUntil = Infinity;
    return now < this.#unsureUntil;
  }

  #renewed(): void {
    const now = performance.now();
    const isLate = this.#renewedAt !== undefined && now - this.#renewedAt > OUTAGE_MS;
    if (isLate || this.#unsureUntil === Infinity) this.#unsureUntil = now + LEASE_SECONDS * 1_000;
    this.#renewedAt = now;
  }

  async #join(): Promise<void> {
    const { store } = this.#options;
    await store.create(logOf(this.id), {
      contentType: 'text/plain',
      ttlSeconds: LEASE_SECONDS,
      metadata: { kind: KIND_PROCESS },
    });
    this.#offset = OFFSET_START;
    this.#lines = new LineSplitter();
    await this.#listen();
  }

  async #listen(): Promise<void> {
    this.#follower?.stop();
    const follower = await this.#options.store.follow(logOf(this.id), this.#offset, () => this.#read());
    if (this.#stopped) return follower.stop();
    this.#follower = follower;
    this.#read();
  }

  #read(): void {
    try {
      for (let frame = this.#follower?.next(); frame; frame = this.#follower?.next()) {
        this.#offset = frame.next;
        for (const line of this.#lines.push(frame.bytes)) {
          if (line.startsWith(ABORT)) this.#options.onAbort(line.slice(ABORT.length));
          if (line.startsWith(WAITING)) this.#options.onWaiting(line.slice(WAITING.length));
        }
      }
    } catch (err) {
      // The next renewal opens it again, or joins anew when the lease is gone.
      this.#options.logger.warn({ err }, 'lost the mailbox');
      this.#follower?.stop();
      this.#follower = undefined;
    }
  }

  /** Reading counts as a sign of life (a stream's TTL slides with each read) and, unlike writing, leaves nothing. */
  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      await this.#options.store.read(logOf(this.id), this.#offset, 1);
      if (!this.#follower) await this.#listen();
      this.#renewed();
    } catch (err) {
      this.#options.logger.warn({ err }, 'could not renew the lease');
      if (err instanceof StoreError && err.code === 'NOT_FOUND' && !this.#stopped) {
        // Paused past the lease: others may have closed our streams meanwhile, which our appends will be told.
        await this.#join().then(
          () => this.#renewed(),
          (error: unknown) => this.#options.logger.error({ err: error }, 'could not rejoin'),
        );
      }
    } finally {
      this.#renewing = false;
    }
  }
}

function logOf(owner: string): string {
  return `proxy-${owner}`;
}
