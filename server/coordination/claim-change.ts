import type { Claim, ClaimState } from './types.ts';

/**
 * One change of a claim. `of` is the token of the holder that the writer saw: the change has no effect on any other
 * holder. Changes of one key are ordered, so if several writers saw the same holder, the first one gets the key.
 */
export type ClaimChange =
  | { readonly of: string; readonly state: 'kept' | 'freed' }
  | { readonly of: string; readonly state: 'aborted'; readonly at: number }
  | {
      readonly of: string;
      readonly state: 'taken';
      /** State of the holder that the writer saw. */
      readonly seen?: ClaimState;
      /** Token of the new holder. The name of the field dates from version 0.1. */
      readonly streamId: string;
      /** Process of the new holder. The name of the field dates from version 0.1. */
      readonly owner: string;
      readonly fingerprint: string;
      /** Set if an abort takes the key. */
      readonly abortedAt?: number;
    };

/** Returns the claim after one more change. A change of another holder, or an unknown one, changes nothing. */
export function applyChange(claim: Claim, entry: ClaimChange | undefined): Claim {
  if (entry?.of !== claim.token) return claim;
  switch (entry.state) {
    case 'taken': {
      if (entry.seen !== undefined && entry.seen !== claim.state) return claim;
      const { streamId: token, owner: process, fingerprint, abortedAt } = entry;
      const state = abortedAt === undefined ? 'open' : 'aborted';
      return { token, process, fingerprint, state, abortedAt: abortedAt ?? 0 };
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

/** Returns the change that replaces the holder `instead` with `claim`. */
export function takenChange(instead: Claim, claim: Claim): ClaimChange {
  const { token, process, fingerprint, state, abortedAt } = claim;
  const aborted = state === 'aborted' && { abortedAt };
  const seen = { of: instead.token, seen: instead.state };
  return { ...seen, state: 'taken', streamId: token, owner: process, fingerprint, ...aborted };
}

/** Returns the change of a holder's state. */
export function markChange(of: string, state: 'kept' | 'freed' | 'aborted'): ClaimChange {
  return state === 'aborted' ? { of, state, at: Date.now() } : { of, state };
}
