import type { Presence } from '../peers/presence.ts';
import { followUntil, LineSplitter } from '../store/log.ts';
import type { StreamStore } from '../store/types.ts';
import { hashOf } from './claims.ts';
import { NameLogs } from './name-logs.ts';

type EntryState = 'accepted' | 'answered' | 'failed';

interface Entry {
  readonly streamId: string;
  readonly owner: string;
  readonly state: EntryState;
}

/** How often somebody who waits for an answer's head looks whether its process still lives. */
const LOOK_MS = 1_000;

/**
 * What is known under a `Stream-Key`: a list of lines for each name, in which every create notes that it was accepted
 * (before the upstream is called, so that a reload finds it) and its result. The newest creates are kept, at least
 * 128, and the newest one that did not fail.
 */
export class StreamKeys {
  readonly #store: StreamStore;
  readonly #presence: Presence;
  readonly #logs: NameLogs;
  /** What this process is writing just now: whoever asks for that name meanwhile waits for it. */
  readonly #registering = new Map<string, Promise<void>>();

  constructor(store: StreamStore, presence: Presence, ttlSeconds: number) {
    this.#store = store;
    this.#presence = presence;
    this.#logs = new NameLogs({ store, ttlSeconds, carry: newestLines });
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
      const logs = await this.#logs.read(id);
      const newest = newestOf(logs.lines);
      if (!newest || newest.state === 'answered') return newest?.streamId;
      if (!(await this.#presence.isAlive(newest.owner))) {
        await this.failed(subject, name, newest.streamId);
        continue;
      }
      await this.#verdict(logs.newest, newest.streamId, signal);
    }
  }

  /** Returns the newest stream under a name that did not fail, also if its upstream has not answered yet. */
  async latest(
    subject: string | undefined,
    name: string,
  ): Promise<{ readonly streamId: string; readonly owner: string } | undefined> {
    const id = keyId(subject, name);
    await this.#registering.get(id)?.catch(() => undefined);
    return newestOf((await this.#logs.read(id)).lines);
  }

  async #register(subject: string | undefined, name: string, streamId: string): Promise<void> {
    await this.#logs.create(keyId(subject, name));
    await this.#write(subject, name, streamId, 'accepted');
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
    await this.#logs.append(keyId(subject, name), JSON.stringify(entry));
  }
}

/** Returns the newest create that did not fail. */
function newestOf(lines: readonly string[]): Entry | undefined {
  const entries = new Map<string, Entry>();
  for (const line of lines) {
    const entry = parseEntry(line);
    // A log begins with lines of the one before it, so that a create may be accepted twice; the first time counts. The
    // result of a create that is no longer in the logs says nothing.
    if (entry && (entry.state === 'accepted') !== entries.has(entry.streamId))
      entries.set(entry.streamId, entry);
  }
  return [...entries.values()].filter(({ state }) => state !== 'failed').at(-1);
}

/** Returns lines that tell no more than the newest create that did not fail. */
function newestLines(lines: readonly string[]): string[] {
  const newest = newestOf(lines);
  if (!newest) return [];
  const accepted: Entry = { ...newest, state: 'accepted' };
  return (newest.state === 'accepted' ? [newest] : [accepted, newest]).map((entry) => JSON.stringify(entry));
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
