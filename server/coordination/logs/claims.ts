import { applyChange, markChange, takenChange, type ClaimChange } from '../claim-change.ts';
import type { Claim, ClaimState, ClaimTable } from '../types.ts';
import { isStoreError } from '../../store/is-store-error.ts';
import { logLine, parseLogLine } from '../../store/record-version.ts';
import type { ByteStore, Frame, StoreError, StreamInfo } from '../../store/types.ts';
import { followUntil, LineSplitter, readLog } from '../../store/log.ts';

/** State of a key's claim, read from its log. */
interface Loaded {
  readonly claim: Claim;
  readonly isClosed: boolean;
}

/**
 * Stores claims as logs, one for each key. The metadata describe the first holder, and each line is a `ClaimChange`.
 * The log is never deleted; it expires.
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
      if (instead) await this.#append(id, takenChange(instead, claim));
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
    for (let id = key; await this.#append(id, markChange(token, state));) id = successorOf(id);
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
    const onFrame = (frame: Frame, { metadata, end }: StreamInfo) => {
      isClosed = end !== undefined;
      claim = lines.push(frame.bytes).reduce(applyLine, claim ?? firstClaim(metadata));
      return isClosed || claim.token !== seen.token || claim.state !== seen.state;
    };
    await followUntil(this.#store, id, onFrame, { signal });
    return isClosed;
  }

  #create(id: string, { token, process, fingerprint, state, abortedAt }: Claim): Promise<boolean> {
    const aborted = state === 'aborted' && { abortedAt: String(abortedAt) };
    return this.#store.create(id, {
      contentType: 'text/plain',
      ttlSeconds: this.#ttlSeconds,
      outlivesProcess: true,
      hasManyWriters: true,
      metadata: { fingerprint, streamId: token, owner: process, ...aborted },
    });
  }

  /** Returns true if the log is closed. Ignores a missing log: there is no claim to change. */
  async #append(id: string, entry: ClaimChange): Promise<boolean> {
    try {
      await this.#store.append(id, Buffer.from(`${logLine(entry)}\n`));
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

/** Returns the claim that version 0.1 stored in a log. Used by stores that now store claims in another way. */
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
  return applyChange(claim, parseLogLine(line, 'The claim') as ClaimChange | undefined);
}

/**
 * Returns the id of the log that replaces a closed one. Version 0.1 closed the logs of finished creates. A closed log
 * never changes, so all processes move on to the same id; deleting it would race with a process that already did.
 */
function successorOf(id: string): string {
  return `${id}-n`;
}

function ignoreMissing(error: unknown): void {
  if (!isStoreError(error, 'NOT_FOUND', 'CLOSED')) throw error;
}
