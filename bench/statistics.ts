/** The value below which a share of the sample lies; NaN of an empty one. */
export function percentile(sample: readonly number[], share: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(sample: readonly number[]): number {
  return percentile(sample, 0.5);
}

/** Median of the rounds, and the lowest and highest: what a ratio must be read with. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function figure(rounds: readonly number[]): Figure {
  return { median: median(rounds), low: percentile(rounds, 0), high: percentile(rounds, 1) };
}
