import type { NameEntry, NameState, NameTable, Processes } from '../coordination/types.ts';
import { hashOf } from './claims.ts';

/** Milliseconds between two checks that the process of a create is alive. */
const LOOK_MS = 1_000;

/**
 * The creates with a `Stream-Key`. Every create registers that it was accepted (before the upstream is called, so that
 * a reload finds it), and its result.
 */
export class StreamKeys {
  readonly #names: NameTable;
  readonly #processes: Pick<Processes, 'id' | 'isAlive'>;
  /** Writes in progress of this process. A lookup of the same name waits for them. */
  readonly #registering = new Map<string, Promise<void>>();

  constructor(names: NameTable, processes: Pick<Processes, 'id' | 'isAlive'>) {
    this.#names = names;
    this.#processes = processes;
  }

  accepted(subject: string | undefined, name: string, streamId: string): Promise<void> {
    const id = nameId(subject, name);
    const registered = this.#set(id, streamId, 'accepted').finally(() => {
      if (this.#registering.get(id) === registered) this.#registering.delete(id);
    });
    this.#registering.set(id, registered);
    return registered;
  }

  answered(subject: string | undefined, name: string, streamId: string): Promise<void> {
    return this.#set(nameId(subject, name), streamId, 'answered');
  }

  failed(subject: string | undefined, name: string, streamId: string): Promise<void> {
    return this.#set(nameId(subject, name), streamId, 'failed');
  }

  /**
   * Returns the newest stream with a name, or undefined. If its create is in progress, waits for its result, until
   * `signal` aborts.
   */
  async newest(subject: string | undefined, name: string, signal: AbortSignal): Promise<string | undefined> {
    const id = nameId(subject, name);
    for (;;) {
      const newest = await this.#get(id);
      if (!newest || newest.state === 'answered') return newest?.streamId;
      if (await this.#processes.isAlive(newest.process)) await this.#change(id, newest, signal);
      else await this.failed(subject, name, newest.streamId);
    }
  }

  /** Returns the newest stream with a name that has not failed, also if its upstream has not responded yet. */
  latest(subject: string | undefined, name: string): Promise<NameEntry | undefined> {
    return this.#get(nameId(subject, name));
  }

  async #get(id: string): Promise<NameEntry | undefined> {
    await this.#registering.get(id)?.catch(() => undefined);
    return this.#names.get(id);
  }

  /** Waits until there may be a result, at most until its process has to be checked again. */
  async #change(id: string, seen: NameEntry, signal: AbortSignal): Promise<void> {
    const look = AbortSignal.timeout(LOOK_MS);
    try {
      await this.#names.watch(id, seen, AbortSignal.any([signal, look]));
    } catch (error) {
      signal.throwIfAborted();
      if (!look.aborted) throw error;
    }
  }

  #set(id: string, streamId: string, state: NameState): Promise<void> {
    return this.#names.set(id, { streamId, process: this.#processes.id, state });
  }
}

function nameId(subject: string | undefined, name: string): string {
  return `key-${hashOf([subject ?? null, name])}`;
}
