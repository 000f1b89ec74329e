import { carryMembers, membersOf } from '../../coordination/logs/members.ts';
import { NameLogs } from '../../coordination/logs/name-logs.ts';
import type { ByteStore } from '../../store/types.ts';

/** Name of the list of processes that have an inspector. */
const LIST = 'inspectors';
/** Seconds that the list is kept after its last use. */
const TTL_SECONDS = 86_400;
/** Milliseconds after which a running process writes its entry again, so that the list does not expire. */
const RENEW_MS = 21_600_000;

/** Lists the processes that have an inspector in a log of their store. */
export class Registry {
  readonly #logs: NameLogs;
  readonly #id: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(store: ByteStore, id: string) {
    this.#logs = new NameLogs({ store, ttlSeconds: TTL_SECONDS, carry: carryMembers });
    this.#id = id;
  }

  /** Adds this process. */
  async join(): Promise<void> {
    this.#timer ??= setInterval(() => void this.#add().catch(() => undefined), RENEW_MS).unref();
    await this.#add();
  }

  /** Removes this process. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.remove(this.#id);
  }

  /** Returns the ids of all other processes. Some may be dead. */
  async others(): Promise<string[]> {
    const members = membersOf((await this.#logs.read(LIST)).lines);
    return [...members].filter((id) => id !== this.#id);
  }

  /** Removes a process that is dead. */
  remove(id: string): Promise<void> {
    return this.#logs.append(LIST, `-${id}`);
  }

  async #add(): Promise<void> {
    await this.#logs.create(LIST);
    await this.#logs.append(LIST, `+${this.#id}`);
  }
}
