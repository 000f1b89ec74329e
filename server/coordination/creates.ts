import type { NameEntry } from './types.ts';

/** Maximum number of creates that a name keeps. */
export const MAX_CREATES = 128;

/**
 * Number of creates that a name keeps before its newest answered one. An answered create can still fail: with
 * `Prefer: respond-async` it counts as answered before the upstream has responded. The name then refers to the create
 * before it.
 */
export const OLDER_CREATES = 16;

/** Returns true if both are the same create in the same state, or both are undefined. */
export function isSameEntry(a: NameEntry | undefined, b: NameEntry | undefined): boolean {
  return a?.streamId === b?.streamId && a?.state === b?.state;
}
