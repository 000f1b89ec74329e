/** Start of the first interval: cursors are numbers of 20-second intervals (base protocol, caching and collapsing). */
const FIRST_INTERVAL_MS = Date.UTC(2024, 9, 9);
const INTERVAL_MS = 20_000;
const MAX_JITTER_SECONDS = 3_600;

/**
 * Returns the cursor of a live response: the current interval, or a greater one if the client has sent the current
 * interval or a later one. Otherwise a cache could respond with the same response again.
 */
export function nextCursor(sent: string | undefined, nowMs = Date.now(), random = Math.random): string {
  const current = Math.floor((nowMs - FIRST_INTERVAL_MS) / INTERVAL_MS);
  const seen = sent !== undefined && /^\d{1,15}$/.test(sent) ? Number(sent) : -1;
  if (seen < current) return String(current);
  const jitterSeconds = 1 + Math.floor(random() * MAX_JITTER_SECONDS);
  return String(seen + Math.max(1, Math.ceil((jitterSeconds * 1_000) / INTERVAL_MS)));
}
