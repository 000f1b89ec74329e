/**
 * Finds the known name that a misspelled one probably stands for.
 * @returns undefined if none is close: nothing is better than a wrong hint.
 */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const wanted = name.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(wanted, candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  if (best === undefined) return undefined;
  if (best.distance <= 2) return best.candidate;
  // Half of a name, such as "secret" for "jwtSecret" or "headersTimeoutMs" for "upstreamHeadersTimeoutMs", before
  // a name that only has a common ending.
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
