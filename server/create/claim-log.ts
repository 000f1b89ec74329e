/** How the create that holds an `Idempotency-Key` stands. */
export type ClaimState = 'open' | 'kept' | 'freed' | 'aborted';

/** The holder of an `Idempotency-Key`, after all entries of the key's log. */
export interface Claim {
  /** Id of the stream that the holder creates. Unique for each holder, so it also identifies the holder. */
  readonly streamId: string;
  /** Process of the holder. */
  readonly owner: string;
  /** Hash of the request. Empty if an abort created the log and no request is known. */
  readonly fingerprint: string;
  readonly state: ClaimState;
  /** Unix time of the abort in milliseconds. 0 unless `state` is `aborted`. */
  readonly abortedAt: number;
}

/**
 * One line of a key's log. Each names the holder that its writer saw, and has no effect on any other holder.
 * Appends are ordered, so of several takers that saw the same holder the first one gets the key.
 */
export type ClaimEntry =
  | { readonly of: string; readonly state: 'kept' | 'freed' }
  | { readonly of: string; readonly state: 'aborted'; readonly at: number }
  | {
      readonly of: string;
      readonly state: 'taken';
      readonly streamId: string;
      readonly owner: string;
      readonly fingerprint: string;
    };

/** Returns the first holder, which the log's metadata describes. */
export function firstClaim(metadata: Readonly<Record<string, string>>): Claim {
  const { streamId = '', owner = '', fingerprint = '', abortedAt } = metadata;
  return {
    streamId,
    owner,
    fingerprint,
    state: abortedAt === undefined ? 'open' : 'aborted',
    abortedAt: Number(abortedAt ?? 0),
  };
}

/** Returns the claim after one more line. A line about another holder, or a malformed one, changes nothing. */
export function applyEntry(claim: Claim, line: string): Claim {
  const entry = parseEntry(line);
  if (entry?.of !== claim.streamId) return claim;
  switch (entry.state) {
    case 'taken': {
      const { streamId, owner, fingerprint } = entry;
      return { streamId, owner, fingerprint, state: 'open', abortedAt: 0 };
    }
    case 'aborted':
      return { ...claim, state: 'aborted', abortedAt: entry.at };
    case 'kept':
      return claim.state === 'open' ? { ...claim, state: 'kept' } : claim;
    case 'freed':
      return claim.state === 'aborted' ? claim : { ...claim, state: 'freed' };
    default:
      return claim;
  }
}

function parseEntry(line: string): ClaimEntry | undefined {
  try {
    return JSON.parse(line) as ClaimEntry;
  } catch {
    return undefined;
  }
}
