import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LiveReads, type LiveRead } from './live-reads.ts';

const INTERVAL_MS = 15_000;
/** Largest share of the reads that one turn of the event loop may serve. */
const MAX_SHARE = 0.01;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function reads(count: number) {
  const liveReads = new LiveReads(INTERVAL_MS);
  /** Times of the keep-alives of each read. */
  const beats = Array.from({ length: count }, (): number[] => []);
  const all = beats.map((times, i): LiveRead => {
    const nothing = () => undefined;
    return { streamId: String(i), beat: () => times.push(Date.now()), end: nothing, destroy: nothing };
  });
  return { liveReads, beats, all };
}

it('writes the keep-alives of reads that began together in many turns of the event loop', () => {
  const { liveReads, beats, all } = reads(10_000);
  for (const read of all) liveReads.add(read);
  vi.advanceTimersByTime(2 * INTERVAL_MS);
  const perTurn = new Map<number, number>();
  for (const time of beats.flat()) perTurn.set(time, (perTurn.get(time) ?? 0) + 1);
  expect(Math.max(...perTurn.values())).toBeLessThanOrEqual(MAX_SHARE * all.length);
});

it('writes a keep-alive to each read within an interval of the one before, whenever other reads begin and end', () => {
  const { liveReads, beats, all } = reads(1_000);
  const begun: number[] = [];
  all.forEach((read, i) => {
    liveReads.add(read);
    begun[i] = Date.now();
    vi.advanceTimersByTime(i % 7);
    if (i % 3 === 1) liveReads.remove(all[i - 1]!);
  });
  vi.advanceTimersByTime(3 * INTERVAL_MS);
  beats.forEach((times, i) => {
    if (i % 3 === 0 && i < all.length - 1) return;
    const gaps = [begun[i]!, ...times].map((time, at) => (times[at] ?? Date.now()) - time);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(INTERVAL_MS);
    expect(times.length).toBeGreaterThanOrEqual(3);
  });
});

it('has no timer while there are no reads', () => {
  const { liveReads, all } = reads(2);
  for (const read of all) liveReads.add(read);
  expect(vi.getTimerCount()).toBe(1);
  for (const read of all) liveReads.remove(read);
  expect(vi.getTimerCount()).toBe(0);
});
