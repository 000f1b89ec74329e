import { describe, expect, it, vi } from 'vitest';
import { backoffMs, retry } from './retry.ts';

const forever = new AbortController().signal;
const failTimes = (times: number) => {
  const run = vi.fn<() => Promise<string>>(() => Promise.resolve('done'));
  for (let i = 0; i < times; i += 1) run.mockRejectedValueOnce(new Error(`failure ${i + 1}`));
  return run;
};

describe('backoffMs', () => {
  it('doubles up to the longest pause, and leaves half of it to chance', () => {
    const pauses = [100, 1_000] as const;
    expect([0, 1, 2, 3, 4, 99].map((attempt) => backoffMs(attempt, pauses, () => 1))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect(backoffMs(1, pauses, () => 0)).toBe(100);
  });
});

describe('retry', () => {
  it('calls until it succeeds, and reports each failure', async () => {
    const run = failTimes(3);
    const failures: string[] = [];
    const onFailure = (error: unknown) => void failures.push((error as Error).message);
    expect(await retry(run, { pauses: [1, 2], signal: forever, onFailure })).toBe('done');
    expect(failures).toEqual(['failure 1', 'failure 2', 'failure 3']);
  });

  it('throws an error that is not temporary at once', async () => {
    const run = failTimes(3);
    const retrying = retry(run, { pauses: [1, 2], signal: forever, isTemporary: () => false });
    await expect(retrying).rejects.toThrow('failure 1');
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('throws the last error when its signal aborts, also during a pause', async () => {
    const run = failTimes(3);
    const stop = new AbortController();
    const onFailure = () => stop.abort();
    await expect(retry(run, { pauses: [60_000, 60_000], signal: stop.signal, onFailure })).rejects.toThrow(
      'failure 1',
    );
    await expect(retry(failTimes(3), { pauses: [1, 2], signal: stop.signal })).rejects.toThrow('failure 1');
  });

  it('begins no attempt after its limit', async () => {
    const run = failTimes(3);
    await expect(retry(run, { pauses: [1, 2], signal: forever, limitMs: -1 })).rejects.toThrow('failure 1');
  });
});
