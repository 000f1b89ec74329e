/** Distance up to which a name is always close. */
const CLOSE = 2;
/**
 * Maximum number of names whose distance is computed, which takes time in proportion to both lengths. Callers of the
 * proxy control the name and the number of calls: it may be the host of a rejected URL.
 */
const MAX_COMPARED = 100;

/**
 * Returns the known name that is closest to a misspelled one.
 * @returns undefined if no name is close, because a wrong hint is worse than none.
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let limit = Math.max(CLOSE, Math.floor(name.length / 3)) + 1;
  let compared = 0;
  for (const candidate of known) {
    // The distance is at least the difference of the lengths.
    if (Math.abs(candidate.length - name.length) >= limit) continue;
    if (compared === MAX_COMPARED) break;
    compared += 1;
    const distance = editDistance(wanted, candidate.toLowerCase(), limit);
    if (distance >= limit) continue;
    best = candidate;
    limit = distance;
  }
  if (best !== undefined && limit <= CLOSE) return best;
  // Prefers a name that contains the misspelled one, such as "jwtSecret" for "secret" or
  // "upstreamHeadersTimeoutMs" for "headersTimeoutMs", over a name that only shares its ending.
  const whole =
    wanted.length >= 3 ? known.find((candidate) => candidate.toLowerCase().includes(wanted)) : undefined;
  return whole ?? best;
}

/**
 * Levenshtein distance: the number of characters to insert, delete or replace. Stops at `limit`.
 * @returns any number of at least `limit` if the distance is not below it.
 */
function editDistance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  let current = [...previous];
  for (let i = 1; i <= a.length; i += 1) {
    current[0] = i;
    let least = i;
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = previous[j - 1]! + (a.charCodeAt(i - 1) === b.charCodeAt(j - 1) ? 0 : 1);
      const distance = Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1);
      current[j] = distance;
      if (distance < least) least = distance;
    }
    // No later row has a smaller number than the least of this one.
    if (least >= limit) return limit;
    [previous, current] = [current, previous];
  }
  return previous[b.length]!;
}
