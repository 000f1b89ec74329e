/** Counts of durations by bucket. Buckets of several processes can be added. */
export type Buckets = Readonly<Record<number, number>>;

/** Upper bound of the first bucket, in milliseconds. */
const FIRST_MS = 0.05;
/** Ratio of the bounds of two adjacent buckets. A quantile is too high by at most this factor. */
const GROWTH = 1.15;
const LAST = 140;

/** Returns the bucket of a duration in milliseconds. */
export function bucketOf(ms: number): number {
  if (ms <= FIRST_MS) return 0;
  return Math.min(LAST, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH)));
}

/** Adds counts to a bucket record in place. */
export function addBuckets(sum: Record<number, number>, added: Buckets): void {
  for (const [bucket, count] of Object.entries(added)) sum[+bucket] = (sum[+bucket] ?? 0) + count;
}

/** Returns a quantile in milliseconds, or undefined without values. */
export function quantile(buckets: Buckets, q: number): number | undefined {
  const entries = Object.entries(buckets).map(([bucket, count]) => [Number(bucket), count] as const);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  let left = Math.ceil(total * q);
  for (const [bucket, count] of entries.sort(([a], [b]) => a - b)) {
    left -= count;
    if (left <= 0) return FIRST_MS * GROWTH ** bucket;
  }
  return undefined;
}
