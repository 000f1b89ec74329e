import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { raceSignal } from './race-signal.ts';

describe('raceSignal', () => {
  it('settles as the promise does, and leaves no listener', async () => {
    const { signal } = new AbortController();
    expect(await raceSignal(Promise.resolve(1), signal)).toBe(1);
    await expect(raceSignal(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('rejects with the reason of the signal, even if it was aborted before', async () => {
    const controller = new AbortController();
    let fail: (error: Error) => void = () => undefined;
    const late = new Promise<void>((_, reject) => (fail = reject));
    const racing = raceSignal(late, controller.signal);
    controller.abort(new Error('stopped'));
    await expect(racing).rejects.toThrow('stopped');
    // A promise that rejects afterwards is not an unhandled rejection.
    const again = raceSignal(late, controller.signal);
    await expect(again).rejects.toThrow('stopped');
    fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });
});
