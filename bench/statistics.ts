/** Returns the value below which a share of the sample is; NaN for an empty one. */
export function percentile(sample: readonly number[], share: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(sample: readonly number[]): number {
  return percentile(sample, 0.5);
}

/** Median, minimum and maximum of the rounds. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export function figure(rounds: readonly number[]): Figure {
  return { median: median(rounds), low: percentile(rounds, 0), high: percentile(rounds, 1) };
}
