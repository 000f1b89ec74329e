import type { Presence } from '../peers/presence.ts';
import { followUntil, LineSplitter, readLines } from '../store/log.ts';
import { KIND_KEY } from '../store/metadata.ts';
import { StoreError, type StreamStore } from '../store/types.ts';
import { hashOf } from './claims.ts';

type EntryState = 'accepted' | 'answered' | 'failed';

interface Entry {
  readonly streamId: string;
  readonly owner: string;
  readonly state: EntryState;
}

/** How often somebody who waits for an answer's head looks whether its process still lives. */
const LOOK_MS = 1_000;

/**
 * What is known under a `Stream-Key`: one small log a name, in which every create says when it was accepted
 * (before the upstream is called, so that a reload finds it) and what came of it.
 */
export class StreamKeys {
  readonly #store: StreamStore;
  readonly #presence: Presence;
  readonly #ttlSeconds: number;
  /** What this process is writing just now: whoever asks for that name meanwhile waits for it. */
  readonly #registering = new Map<string, Promise<void>>();

  constructor(store: StreamStore, presence: Presence, ttlSeconds: number) {
    this.#store = store;
    this.#presence = presence;
    this.#ttlSeconds = ttlSeconds;
  }

  accepted(subject: string | undefined, name: string, streamId: string): Promise<void> {
    const id = keyId(subject, name);
    const registered = this.#register(subject, name, streamId).finally(() => {
      if (this.#registering.get(id) === registered) this.#registering.delete(id);
    });
    this.#registering.set(id, registered);
    return registered;
  }

  answered(subject: string | undefined, name: string, streamId: string): Promise<void> {
    return this.#write(subject, name, streamId, 'answered');
  }

  failed(subject: string | undefined, name: string, streamId: string): Promise<void> {
    return this.#write(subject, name, streamId, 'failed');
  }

  /**
   * The newest stream under a name. One that was accepted and not answered yet is waited for, until `signal`.
   * Undefined when there is none.
   */
  async newest(subject: string | undefined, name: string, signal: AbortSignal): Promise<string | undefined> {
    const id = keyId(subject, name);
    await this.#registering.get(id)?.catch(() => undefined);
    for (;;) {
      const entries = await this.#entries(id);
      const newest = [...entries.values()].filter(({ state }) => state !== 'failed').at(-1);
      if (!newest || newest.state === 'answered') return newest?.streamId;
      if (!(await this.#presence.isAlive(newest.owner))) {
        await this.failed(subject, name, newest.streamId);
        continue;
      }
      await this.#verdict(id, newest.streamId, signal);
    }
  }

  /** Returns the newest stream under a name that did not fail, also if its upstream has not answered yet. */
  async latest(
    subject: string | undefined,
    name: string,
  ): Promise<{ readonly streamId: string; readonly owner: string } | undefined> {
    const id = keyId(subject, name);
    await this.#registering.get(id)?.catch(() => undefined);
    const entries = await this.#entries(id);
    return [...entries.values()].filter(({ state }) => state !== 'failed').at(-1);
  }

  async #register(subject: string | undefined, name: string, streamId: string): Promise<void> {
    await this.#store.create(keyId(subject, name), {
      contentType: 'application/x-ndjson',
      ttlSeconds: this.#ttlSeconds,
      metadata: { kind: KIND_KEY },
    });
    await this.#write(subject, name, streamId, 'accepted');
  }

  async #entries(id: string): Promise<Map<string, Entry>> {
    const entries = new Map<string, Entry>();
    try {
      for (const line of await readLines(this.#store, id)) {
        const entry = parseEntry(line);
        if (entry) entries.set(entry.streamId, { ...entries.get(entry.streamId), ...entry });
      }
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'NOT_FOUND')) throw error;
    }
    return entries;
  }

  /** Waits until the log says more of this stream, but not longer than it takes to notice a dead owner. */
  async #verdict(id: string, streamId: string, signal: AbortSignal): Promise<void> {
    const look = AbortSignal.timeout(LOOK_MS);
    const lines = new LineSplitter();
    const says = (line: string) => {
      const entry = parseEntry(line);
      return entry?.streamId === streamId && entry.state !== 'accepted';
    };
    try {
      await followUntil(this.#store, id, AbortSignal.any([signal, look]), (frame) =>
        lines.push(frame.bytes).some(says),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (!look.aborted) throw error;
    }
  }

  async #write(
    subject: string | undefined,
    name: string,
    streamId: string,
    state: EntryState,
  ): Promise<void> {
    const entry: Entry = { streamId, owner: this.#presence.id, state };
    await this.#store.append(keyId(subject, name), Buffer.from(`${JSON.stringify(entry)}\n`));
  }
}

function parseEntry(line: string): Entry | undefined {
  try {
    return JSON.parse(line) as Entry;
  } catch {
    // A line that another version wrote says nothing to this one.
    return undefined;
  }
}

function keyId(subject: string | undefined, name: string): string {
  return `key-${hashOf([subject ?? null, name])}`;
}
