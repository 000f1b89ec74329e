import { isSameEntry } from '../../../coordination/creates.ts';
import type { NameEntry, NameState, NameTable } from '../../../coordination/types.ts';
import { newEpoch } from '../messages.ts';
import type { Access } from './access.ts';

/** Stores names as hashes, each with its newest creates. */
export class RedisNames implements NameTable {
  readonly #use: () => Access;
  readonly #ttlSeconds: number;

  constructor(use: () => Access, ttlSeconds: number) {
    this.#use = use;
    this.#ttlSeconds = ttlSeconds;
  }

  async set(name: string, { streamId, process, state }: NameEntry): Promise<void> {
    const access = this.#use();
    const { names } = access;
    // The properties with which version 0.1 creates the log of a name.
    const shadow = {
      contentType: 'application/x-ndjson',
      ttlSeconds: this.#ttlSeconds,
      metadata: { kind: 'key' },
    };
    const args = [streamId, process, state, newEpoch(), JSON.stringify(shadow), this.#ttl];
    await access.run(names.set, this.#keys(name), args);
  }

  async get(name: string): Promise<NameEntry | undefined> {
    return (await this.#creates(name)).at(-1);
  }

  async watch(name: string, seen: NameEntry | undefined, signal: AbortSignal): Promise<void> {
    const access = this.#use();
    const isOver = async () => !isSameEntry(await this.get(name), seen);
    await access.topics.until(access.keys(name).live, isOver, signal);
  }

  get #ttl(): string {
    return String(Math.ceil(this.#ttlSeconds * 1_000));
  }

  /** Returns the creates that did not fail, the newest last. */
  async #creates(name: string): Promise<NameEntry[]> {
    const access = this.#use();
    const [, ...fields] = await access.run(access.names.get, this.#keys(name), [this.#ttl]);
    const creates: NameEntry[] = [];
    for (let at = 0; at < fields.length; at += 3) {
      const [streamId = '', process = '', state] = fields.slice(at, at + 3);
      creates.push({ streamId, process, state: state as NameState });
    }
    return creates;
  }

  #keys(id: string): [string, string, string] {
    const { name, meta, log } = this.#use().keys(id);
    return [name, meta, log];
  }
}
