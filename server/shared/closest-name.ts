/**
 * Returns the known name that is closest to a misspelled one.
 * @returns undefined if no name is close, because a wrong hint is worse than none.
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  if (best === undefined) return undefined;
  if (best.distance <= 2) return best.candidate;
  // Prefers a name that contains the misspelled one, such as "jwtSecret" for "secret" or
  // "upstreamHeadersTimeoutMs" for "headersTimeoutMs", over a name that only shares its ending.
  const whole =
    wanted.length >= 3 ? known.find((candidate) => candidate.toLowerCase().includes(wanted)) : undefined;
  return whole ?? (best.distance <= Math.floor(name.length / 3) ? best.candidate : undefined);
}

/** Levenshtein distance: the number of characters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(replaced, previous[j]! + 1, current[j - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
