import type { Argument, Connection, Reply } from '../connection.ts';
import { keysOf } from '../keys.ts';
import type { Requests, RunOptions } from '../requests.ts';
import type { Script } from '../script.ts';
import { claimScripts, type ClaimScripts } from './claim-scripts.ts';
import { nameScripts, type NameScripts } from './name-scripts.ts';
import { outboxScripts, type OutboxScripts } from './outbox-scripts.ts';
import { processScripts, type ProcessScripts } from './process-scripts.ts';
import { Topics } from './topics.ts';

type Status = 'OK' | 'NOT_FOUND' | 'HELD';

export interface AccessOptions {
  readonly connection: Connection;
  readonly requests: Pick<Requests, 'run'>;
  readonly prefix: string;
}

/** Keys of one id. All are in one slot of a cluster. */
export interface CoordinationKeys {
  readonly claim: string;
  readonly name: string;
  readonly owned: string;
  readonly due: string;
  readonly tasks: string;
  /** Hash and log in the form of version 0.1. */
  readonly meta: string;
  readonly log: string;
  /** Channel with notifications about the id. */
  readonly live: string;
}

/** State that the coordinators of one open store share: its scripts, its keys, and its subscriptions. */
export class Access {
  readonly processes: ProcessScripts;
  readonly claims: ClaimScripts;
  readonly names: NameScripts;
  readonly outbox: OutboxScripts;
  readonly topics: Topics;
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    const { publish } = options.connection;
    this.processes = processScripts(publish);
    this.claims = claimScripts(publish);
    this.names = nameScripts(publish);
    this.outbox = outboxScripts();
    this.topics = new Topics(options.connection);
    this.#options = options;
  }

  /** Moves subscriptions to the nodes that now have their slots. */
  tend(): void {
    this.#options.connection.tend();
  }

  keys(id: string): CoordinationKeys {
    const { prefix } = this.#options;
    const { meta, log, live } = keysOf(prefix, id);
    const base = `${prefix}{${id}}:`;
    const own = { claim: `${base}claim`, name: `${base}name`, owned: `${base}owned` };
    return { ...own, due: `${base}due`, tasks: `${base}tasks`, meta, log, live };
  }

  async run(
    script: Script,
    keys: readonly [string, ...string[]],
    args: readonly Argument[],
    options?: RunOptions,
  ): Promise<readonly [Status, ...string[]]> {
    const [status, ...values] = (await this.#options.requests.run(script, keys, args, options)).map(textOf);
    return [status as Status, ...values];
  }
}

/** Returns a short reply as text. */
function textOf(reply: Reply): string {
  return Buffer.isBuffer(reply) ? reply.toString() : String(reply);
}
