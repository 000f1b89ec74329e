import { randomUUID } from 'node:crypto';
import { OFFSET_START } from '../../../protocol/query.ts';
import type { Logger } from '../../shared/logger.ts';
import { LineSplitter } from '../../store/log.ts';
import { isStoreError } from '../../store/is-store-error.ts';
import type { ByteStore, Follower, Offset } from '../../store/types.ts';
import { LeaseClock, RENEW_MS } from '../lease.ts';
import { keepIntervalMs, LEASE_SECONDS } from '../times.ts';
import type { Orphans, Processes } from '../types.ts';
import { carryMembers, membersOf } from './members.ts';
import { NameLogs } from './name-logs.ts';

/** Name of the list of processes that own streams. */
const OWNERS = 'owners';

export interface LogProcessesOptions {
  readonly store: ByteStore;
  readonly logger: Logger;
  /** Seconds that the list of a process's streams is kept after the process has ended. */
  readonly ttlSeconds: number;
}

/**
 * Stores processes as logs. Each process has one small log, which is its lease (it expires unless it is renewed) and
 * its mailbox (other processes append messages, one a line). A second log lists the streams that it owns.
 */
export class LogProcesses implements Processes {
  readonly id: string = randomUUID();
  readonly #options: LogProcessesOptions;
  readonly #clock = new LeaseClock();
  readonly #owned: NameLogs;
  #onMessage: (message: string) => void = () => undefined;
  #isOwner = false;
  /** Time from which the list of this process's streams is read again, so that it does not expire. */
  #keepAt = 0;
  #follower: Follower | undefined;
  #offset: Offset = OFFSET_START;
  #lines = new LineSplitter();
  #timer: NodeJS.Timeout | undefined;
  #renewing = false;
  #stopped = false;

  constructor(options: LogProcessesOptions) {
    this.#options = options;
    const { store, ttlSeconds } = options;
    this.#owned = new NameLogs({ store, ttlSeconds, carry: carryMembers });
  }

  async start(onMessage: (message: string) => void): Promise<void> {
    this.#onMessage = onMessage;
    await this.#join();
    this.#clock.renewed();
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#follower?.stop();
    await this.#options.store.delete(leaseOf(this.id)).catch((err: unknown) => {
      this.#options.logger.warn({ err }, 'could not release the lease; it will expire');
    });
  }

  async isAlive(process: string): Promise<boolean> {
    if (this.#clock.isUnsure) return true;
    if (process === this.id) return true;
    // A single-process store closes the leases of the previous process.
    const lease = await this.#options.store.head(leaseOf(process));
    return lease !== undefined && lease.end === undefined;
  }

  async notify(process: string, message: string): Promise<boolean> {
    try {
      await this.#options.store.append(leaseOf(process), Buffer.from(`${message}\n`));
      return true;
    } catch (error) {
      if (isStoreError(error, 'NOT_FOUND', 'CLOSED')) return false;
      throw error;
    }
  }

  async own(streamId: string): Promise<void> {
    if (!this.#isOwner) await this.#becomeOwner();
    const line = `+${streamId}`;
    try {
      await this.#owned.append(ownedBy(this.id), line);
    } catch (error) {
      if (!isStoreError(error, 'NOT_FOUND')) throw error;
      // The list has expired: the process had no stream for longer than the TTL.
      await this.#becomeOwner();
      await this.#owned.append(ownedBy(this.id), line);
    }
  }

  async disown(streamId: string): Promise<void> {
    await this.#owned.append(ownedBy(this.id), `-${streamId}`);
  }

  async orphans(): Promise<readonly Orphans[]> {
    const found: Orphans[] = [];
    for (const process of membersOf((await this.#owned.read(OWNERS)).lines)) {
      if (process === this.id) await this.#keepOwned();
      if (await this.isAlive(process)) continue;
      const streamIds = [...membersOf((await this.#owned.read(ownedBy(process))).lines)];
      if (streamIds.length > 0) found.push({ process, streamIds });
      else await this.#owned.append(OWNERS, `-${process}`);
    }
    return found;
  }

  async forget({ process, streamIds }: Orphans): Promise<void> {
    for (const streamId of streamIds) await this.#owned.append(ownedBy(process), `-${streamId}`);
  }

  /** Creates the list of this process's streams, and adds this process to those that own streams. */
  async #becomeOwner(): Promise<void> {
    await Promise.all([OWNERS, ownedBy(this.id)].map((list) => this.#owned.create(list)));
    await this.#owned.append(OWNERS, `+${this.id}`);
    this.#isOwner = true;
  }

  /** Restarts the TTL of the list of this process's streams, which only a change or a read does. */
  async #keepOwned(): Promise<void> {
    const now = performance.now();
    if (now < this.#keepAt) return;
    this.#keepAt = now + keepIntervalMs(this.#options.ttlSeconds);
    await this.#owned.read(ownedBy(this.id));
  }

  async #join(): Promise<void> {
    await this.#options.store.create(leaseOf(this.id), {
      contentType: 'text/plain',
      ttlSeconds: LEASE_SECONDS,
      hasManyWriters: true,
      metadata: {},
    });
    this.#offset = OFFSET_START;
    this.#lines = new LineSplitter();
    await this.#listen();
  }

  async #listen(): Promise<void> {
    this.#follower?.stop();
    const follower = await this.#options.store.follow(leaseOf(this.id), this.#offset, () => this.#read());
    if (this.#stopped) return follower.stop();
    this.#follower = follower;
    this.#read();
  }

  #read(): void {
    try {
      for (let frame = this.#follower?.next(); frame; frame = this.#follower?.next()) {
        this.#offset = frame.next;
        for (const line of this.#lines.push(frame.bytes)) this.#onMessage(line);
      }
    } catch (err) {
      // The next renewal reopens the mailbox, or creates a new lease if this one has expired.
      this.#options.logger.warn(
        { err },
        'lost the connection for messages of other processes; the next renewal reopens it',
      );
      this.#follower?.stop();
      this.#follower = undefined;
    }
  }

  /** Renews the lease with a read. A read restarts the TTL of a stream and, unlike a write, adds no bytes. */
  async #renew(): Promise<void> {
    if (this.#renewing) return;
    this.#renewing = true;
    try {
      await this.#options.store.read(leaseOf(this.id), this.#offset, 1);
      if (!this.#follower) await this.#listen();
      this.#clock.renewed();
    } catch (err) {
      this.#options.logger.warn({ err }, 'could not renew the lease');
      if (isStoreError(err, 'NOT_FOUND') && !this.#stopped) {
        // The process was suspended for longer than the lease: others may have closed our streams meanwhile, so our
        // appends will fail.
        await this.#join().then(
          () => this.#clock.renewed(),
          (error: unknown) => this.#options.logger.error({ err: error }, 'could not create a new lease'),
        );
      }
    } finally {
      this.#renewing = false;
    }
  }
}

/** Version 0.1 uses the same log, so that each version can detect whether a process of the other one is alive. */
function leaseOf(process: string): string {
  return `proxy-${process}`;
}

function ownedBy(process: string): string {
  return `owned-${process}`;
}
