/** Maximum number of creates that a name keeps. */
export const MAX_CREATES = 128;

/**
 * Number of creates that a name keeps before its newest answered one. An answered create can still fail: with
 * `Prefer: respond-async` it counts as answered before the upstream has responded. The name then leads to the create
 * before it.
 */
export const OLDER_CREATES = 16;
