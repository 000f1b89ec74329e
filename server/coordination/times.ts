/** Seconds without a renewal after which a process counts as dead. */
export const LEASE_SECONDS = 5;

/** Milliseconds for which a taken task belongs to the process that took it. */
export const TAKEN_MS = 15_000;

/** Longest time between two refreshes of a record that must not expire while its process runs, in milliseconds. */
const LONGEST_KEEP_MS = 60_000;

/** Returns the milliseconds between two refreshes of such a record: a quarter of its TTL, at most a minute. */
export function keepIntervalMs(ttlSeconds: number): number {
  return Math.min(LONGEST_KEEP_MS, ttlSeconds * 250);
}
