/** Seconds without a renewal after which a process counts as dead. */
export const LEASE_SECONDS = 5;

/** Milliseconds that a taken task belongs to its process. */
export const TAKEN_MS = 15_000;
