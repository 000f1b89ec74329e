import { applyEntry, markEntry, takenEntry, type ClaimEntry } from '../claim-entry.ts';
import type { Claim, ClaimState, ClaimTable } from '../types.ts';
import { StoreError, type ByteStore } from '../../store/types.ts';
import { followUntil, LineSplitter, readLog } from '../../store/log.ts';

/** State of a key's claim, read from its log. */
interface Loaded {
  readonly claim: Claim;
  readonly isClosed: boolean;
}

/**
 * Claims as logs, one for each key: its metadata are the first holder, each line is a change (`ClaimEntry`). The log is
 * never deleted; it expires.
 */
export class LogClaims implements ClaimTable {
  readonly #store: ByteStore;
  readonly #ttlSeconds: number;

  constructor(store: ByteStore, ttlSeconds: number) {
    this.#store = store;
    this.#ttlSeconds = ttlSeconds;
  }

  async take(key: string, claim: Claim, instead?: Claim): Promise<Claim> {
    for (let id = key; ;) {
      if (instead) await this.#append(id, takenEntry(instead, claim));
      else if (await this.#create(id, claim)) return claim;
      const loaded = await loadClaim(this.#store, id);
      if (!loaded) {
        // It has expired.
        instead = undefined;
        continue;
      }
      if (!loaded.isClosed) return loaded.claim;
      if (!instead && (await this.#store.head(loaded.claim.token))) return loaded.claim;
      instead = undefined;
      id = successorOf(id);
    }
  }

  async mark(key: string, token: string, state: Exclude<ClaimState, 'open'>): Promise<void> {
    for (let id = key; await this.#append(id, markEntry(token, state));) id = successorOf(id);
  }

  async watch(key: string, seen: Claim, signal: AbortSignal): Promise<void> {
    try {
      for (let id = key; await this.#watchLog(id, seen, signal);) id = successorOf(id);
    } catch (error) {
      signal.throwIfAborted();
      ignoreMissing(error);
    }
  }

  /** Returns true if the log is closed. */
  async #watchLog(id: string, seen: Claim, signal: AbortSignal): Promise<boolean> {
    const lines = new LineSplitter();
    let claim: Claim | undefined;
    let isClosed = false;
    await followUntil(this.#store, id, signal, (frame, { metadata, end }) => {
      isClosed = end !== undefined;
      claim = lines.push(frame.bytes).reduce(applyLine, claim ?? firstClaim(metadata));
      return isClosed || claim.token !== seen.token || claim.state !== seen.state;
    });
    return isClosed;
  }

  #create(id: string, { token, process, fingerprint, state, abortedAt }: Claim): Promise<boolean> {
    const aborted = state === 'aborted' && { abortedAt: String(abortedAt) };
    return this.#store.create(id, {
      contentType: 'text/plain',
      ttlSeconds: this.#ttlSeconds,
      outlivesProcess: true,
      metadata: { fingerprint, streamId: token, owner: process, ...aborted },
    });
  }

  /** Returns true if the log is closed. Nothing has to be written to a log that is missing. */
  async #append(id: string, entry: ClaimEntry): Promise<boolean> {
    try {
      await this.#store.append(id, Buffer.from(`${JSON.stringify(entry)}\n`));
      return false;
    } catch (error) {
      ignoreMissing(error);
      return (error as StoreError).code === 'CLOSED';
    }
  }
}

/** Reads the log of a key, which also restarts its TTL. */
async function loadClaim(store: Pick<ByteStore, 'head' | 'read'>, id: string): Promise<Loaded | undefined> {
  const info = await store.head(id);
  if (!info) return undefined;
  try {
    const { lines } = await readLog(store, id);
    return { claim: lines.reduce(applyLine, firstClaim(info.metadata)), isClosed: info.end !== undefined };
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}

/** Returns the claim that version 0.1 kept in a log. For stores that keep claims in another way now. */
export async function readClaim(
  store: Pick<ByteStore, 'head' | 'read'>,
  key: string,
): Promise<Claim | undefined> {
  const loaded = await loadClaim(store, key);
  if (!loaded) return undefined;
  const { claim, isClosed } = loaded;
  return isClosed && claim.state === 'open' ? { ...claim, state: 'kept' } : claim;
}

/** Returns the first holder, which the log's metadata describe. */
function firstClaim(metadata: Readonly<Record<string, string>>): Claim {
  const { streamId: token = '', owner: process = '', fingerprint = '', abortedAt } = metadata;
  const state = abortedAt === undefined ? 'open' : 'aborted';
  return { token, process, fingerprint, state, abortedAt: Number(abortedAt ?? 0) };
}

function applyLine(claim: Claim, line: string): Claim {
  try {
    return applyEntry(claim, JSON.parse(line) as ClaimEntry);
  } catch {
    // A line of another version.
    return claim;
  }
}

/**
 * Returns the id of the log that replaces a closed one. Version 0.1 closed the logs of finished creates. A closed log
 * never changes, so all processes move on to the same id; deleting it would race with a process that already did.
 */
function successorOf(id: string): string {
  return `${id}-n`;
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof StoreError && (error.code === 'NOT_FOUND' || error.code === 'CLOSED'))) throw error;
}
