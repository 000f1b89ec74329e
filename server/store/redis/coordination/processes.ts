import { randomUUID } from 'node:crypto';
import { LeaseClock, RENEW_MS } from '../../../coordination/lease.ts';
import { keepIntervalMs, LEASE_SECONDS } from '../../../coordination/times.ts';
import type { Orphans, Processes } from '../../../coordination/types.ts';
import type { Logger } from '../../../shared/logger.ts';
import { LineSplitter } from '../../log.ts';
import { newEpoch } from '../messages.ts';
import type { Access } from './access.ts';
import { InOrder } from './in-order.ts';

const LEASE_MS = String(LEASE_SECONDS * 1_000);

/** The properties with which version 0.1 creates the log of a process. */
const INIT = JSON.stringify({
  contentType: 'text/plain',
  ttlSeconds: LEASE_SECONDS,
  metadata: { kind: 'process' },
});

export interface RedisProcessesOptions {
  readonly use: () => Access;
  readonly logger: Logger;
  /** Seconds that the set of a process's streams is kept after the process has ended. */
  readonly ttlSeconds: number;
}

/** Stores processes as leases that expire, each with a mailbox. A message wakes its receiver by pub/sub. */
export class RedisProcesses implements Processes {
  readonly id: string = randomUUID();
  readonly #options: RedisProcessesOptions;
  readonly #clock = new LeaseClock();
  readonly #sending = new InOrder();
  #onMessage: (message: string) => void = () => undefined;
  #lines = new LineSplitter();
  #epoch = '';
  /** Position after the last received message. */
  #position = '0';
  #timer: NodeJS.Timeout | undefined;
  #renewing: Promise<void> | undefined;
  /** True if a message arrived while the lease was being renewed. */
  #hasNews = false;
  #isOwner = false;
  /** Time from which the sets of this process are refreshed again, so that they do not expire. */
  #keepAt = 0;
  #stopListening: (() => Promise<void>) | undefined;
  #isStopped = false;

  constructor(options: RedisProcessesOptions) {
    this.#options = options;
  }

  async start(onMessage: (message: string) => void): Promise<void> {
    this.#onMessage = onMessage;
    const access = this.#options.use();
    // Kept if an earlier start subscribed and then failed.
    this.#stopListening ??= await access.topics.listen(this.#keys(this.id).live, () => this.#renewSoon());
    await this.#join();
    this.#timer = setInterval(() => {
      access.tend();
      this.#renewSoon();
    }, RENEW_MS).unref();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    // Not awaited, because this does not settle while Redis is unavailable.
    void this.#stopListening?.();
    try {
      // A lease that is being taken again must not be stored after it was released.
      await this.#renewing;
      const { processes } = this.#options.use();
      await this.#run(processes.leave, this.id, [this.#epoch]);
    } catch (err) {
      this.#options.logger.warn({ err }, 'could not release the lease; it will expire');
    }
  }

  async isAlive(process: string): Promise<boolean> {
    if (this.#clock.isUnsure || process === this.id) return true;
    const [status] = await this.#run(this.#options.use().processes.alive, process, []);
    return status === 'OK';
  }

  notify(process: string, message: string): Promise<boolean> {
    return this.#sending.run(process, async () => {
      const { processes } = this.#options.use();
      const [status] = await this.#run(processes.notify, process, [`${message}\n`]);
      return status === 'OK';
    });
  }

  async own(streamId: string): Promise<void> {
    if (!this.#isOwner) await this.#addOwner();
    this.#isOwner = true;
    await this.#add(this.#keys(this.id).owned, streamId);
  }

  disown(streamId: string): Promise<void> {
    return this.#remove(this.#keys(this.id).owned, [streamId]);
  }

  async orphans(): Promise<readonly Orphans[]> {
    await this.#keepOwned();
    const found: Orphans[] = [];
    for (const process of await this.#members(this.#owners)) {
      if (await this.isAlive(process)) continue;
      const streamIds = await this.#members(this.#keys(process).owned);
      if (streamIds.length > 0) found.push({ process, streamIds });
      else await this.#remove(this.#owners, [process]);
    }
    return found;
  }

  forget({ process, streamIds }: Orphans): Promise<void> {
    return this.#remove(this.#keys(process).owned, streamIds);
  }

  async #join(): Promise<void> {
    const { processes } = this.#options.use();
    const [, epoch = ''] = await this.#run(processes.join, this.id, [newEpoch(), INIT, LEASE_MS]);
    this.#epoch = epoch;
    this.#position = '0';
    this.#lines = new LineSplitter();
    this.#clock.renewed();
    if (this.#isOwner) await this.#addOwner();
  }

  /** Renews the lease and receives messages, again if more arrive in the meantime. */
  #renewSoon(): void {
    if (this.#isStopped) return;
    this.#hasNews = true;
    this.#renewing ??= this.#renewAll().finally(() => (this.#renewing = undefined));
  }

  async #renewAll(): Promise<void> {
    while (this.#hasNews && !this.#isStopped) {
      this.#hasNews = false;
      try {
        if (!(await this.#renew())) await this.#rejoin();
      } catch (err) {
        this.#options.logger.warn({ err }, 'could not renew the lease');
      }
    }
  }

  /** Returns false if the lease has expired. */
  async #renew(): Promise<boolean> {
    const { processes } = this.#options.use();
    const args = [this.#epoch, LEASE_MS, this.#position];
    const [status, position = '0', messages = ''] = await this.#run(processes.renew, this.id, args);
    if (status === 'NOT_FOUND') return false;
    this.#clock.renewed();
    // There may be more messages than one reply contains.
    if (position !== this.#position) this.#hasNews = true;
    this.#position = position;
    for (const line of this.#lines.push(Buffer.from(messages))) this.#onMessage(line);
    return true;
  }

  /**
   * Takes a new lease after this process was suspended for longer than the old one. Others may have closed our
   * streams in the meantime, so our appends will fail.
   */
  async #rejoin(): Promise<void> {
    this.#options.logger.warn({}, 'the lease of this process expired');
    if (!this.#isStopped) await this.#join();
  }

  /** Restarts the TTL of the sets that name this process and its streams, which otherwise only a change does. */
  async #keepOwned(): Promise<void> {
    const now = performance.now();
    if (!this.#isOwner || now < this.#keepAt) return;
    const { use, ttlSeconds } = this.#options;
    this.#keepAt = now + keepIntervalMs(ttlSeconds);
    const { keep } = use().processes;
    await use().run(keep, [this.#owners], [this.#ttl, this.id]);
    await use().run(keep, [this.#keys(this.id).owned], [this.#ttl]);
  }

  get #ttl(): string {
    return String(Math.ceil(this.#options.ttlSeconds * 1_000));
  }

  get #owners(): string {
    return this.#keys('owners').owned;
  }

  #addOwner(): Promise<void> {
    return this.#add(this.#owners, this.id);
  }

  #keys(process: string) {
    const { use } = this.#options;
    return use().keys(process === 'owners' ? process : `proxy-${process}`);
  }

  async #add(set: string, member: string): Promise<void> {
    const { use } = this.#options;
    await use().run(use().processes.add, [set], [this.#ttl, member]);
  }

  async #remove(set: string, members: readonly string[]): Promise<void> {
    const { use } = this.#options;
    await use().run(use().processes.remove, [set], members);
  }

  async #members(set: string): Promise<readonly string[]> {
    const { use } = this.#options;
    const [, ...members] = await use().run(use().processes.members, [set], []);
    return members;
  }

  #run(script: Parameters<Access['run']>[0], process: string, args: readonly string[]) {
    const { meta, log } = this.#keys(process);
    return this.#options.use().run(script, [meta, log], args);
  }
}
