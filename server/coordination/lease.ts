import { LEASE_SECONDS } from './times.ts';

/** Milliseconds between two renewals: three in a lease, so that one lost request or a long pause kills no process. */
export const RENEW_MS = 1_500;

/**
 * Milliseconds without a renewal that count as an outage of the store. In an outage that let the lease of another
 * process run out, this process could not renew its own for at least a lease minus one interval.
 */
const OUTAGE_MS = 2 * RENEW_MS;

/** Tracks when this process last renewed its lease, and whether it can therefore judge other processes. */
export class LeaseClock {
  /** As `performance.now()`. */
  #renewedAt: number | undefined;
  /** Until then, no other process counts as dead. */
  #unsureUntil = 0;

  /** True while this process cannot renew its lease, and for one lease after. */
  get isUnsure(): boolean {
    const now = performance.now();
    if (this.#renewedAt === undefined) return false;
    // Looked at before the timer could run, for example after the process was suspended, this is an outage too.
    if (now - this.#renewedAt > OUTAGE_MS) this.#unsureUntil = Infinity;
    return now < this.#unsureUntil;
  }

  renewed(): void {
    const now = performance.now();
    const isLate = this.#renewedAt !== undefined && now - this.#renewedAt > OUTAGE_MS;
    if (isLate || this.#unsureUntil === Infinity) this.#unsureUntil = now + LEASE_SECONDS * 1_000;
    this.#renewedAt = now;
  }
}
