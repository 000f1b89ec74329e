import type { NameEntry, NameState, NameTable, Processes } from '../coordination/types.ts';
import { hashOf } from './claims.ts';

/** Milliseconds between two checks that the process of a create is alive. */
const CHECK_MS = 1_000;

/**
 * Registers the creates with a `Stream-Key`: first that a create was accepted (before the upstream is called, so that
 * a reload finds it), then its result.
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
   * Returns the newest create with a name, or undefined. If it is in progress, waits for its result, until `signal`
   * aborts.
   */
  async newest(
    subject: string | undefined,
    name: string,
    signal: AbortSignal,
  ): Promise<NameEntry | undefined> {
    const id = nameId(subject, name);
    for (;;) {
      const newest = await this.#get(id);
      if (!newest || newest.state === 'answered') return newest;
      if (await this.#processes.isAlive(newest.process)) await this.#result(id, newest, signal);
      else await this.failed(subject, name, newest.streamId);
    }
  }

  /** Returns the newest stream with a name that has not failed, even if its upstream has not responded yet. */
  latest(subject: string | undefined, name: string): Promise<NameEntry | undefined> {
    return this.#get(nameId(subject, name));
  }

  /** Resolves when `newest` may return something other than `seen`, or throws the signal's reason. */
  change(
    subject: string | undefined,
    name: string,
    seen: NameEntry | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#names.watch(nameId(subject, name), seen, signal);
  }

  async #get(id: string): Promise<NameEntry | undefined> {
    await this.#registering.get(id)?.catch(() => undefined);
    return this.#names.get(id);
  }

  /** Waits until there may be a result, at most until its process has to be checked again. */
  async #result(id: string, seen: NameEntry, signal: AbortSignal): Promise<void> {
    const check = AbortSignal.timeout(CHECK_MS);
    try {
      await this.#names.watch(id, seen, AbortSignal.any([signal, check]));
    } catch (error) {
      signal.throwIfAborted();
      if (!check.aborted) throw error;
    }
  }

  #set(id: string, streamId: string, state: NameState): Promise<void> {
    return this.#names.set(id, { streamId, process: this.#processes.id, state });
  }
}

function nameId(subject: string | undefined, name: string): string {
  return `key-${hashOf([subject ?? null, name])}`;
}
