import { LEASE_SECONDS } from './times.ts';

/**
 * Milliseconds between two renewals. A lease spans three of them, so one lost request or a long pause does not end
 * it.
 */
export const RENEW_MS = 1_500;

/**
 * Milliseconds without a renewal that count as an outage of the store. The value has to be less than 3.5 s (a lease
 * minus one interval): an outage in which the lease of another process expires prevents this process from renewing its
 * own lease for at least that time.
 */
const OUTAGE_MS = 2 * RENEW_MS;

/** Tracks when this process last renewed its lease, and whether it can therefore judge other processes. */
export class LeaseClock {
  /** Time of the last renewal, as `performance.now()`. */
  #renewedAt: number | undefined;
  /** Time until which no other process counts as dead, as `performance.now()`. */
  #unsureUntil = 0;

  /** True while this process cannot renew its lease, and for one lease after. */
  get isUnsure(): boolean {
    const now = performance.now();
    if (this.#renewedAt === undefined) return false;
    // The timer may not have run yet, for example after the process was suspended. That counts as an outage too.
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
