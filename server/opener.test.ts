import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from './shared/errors.ts';
import { silentLogger } from './shared/logger.ts';
import { Opener } from './opener.ts';
import { StoreError } from './store/types.ts';

const HELD = new StoreError('UNAVAILABLE', 'Another process (pid 7) holds "/data"');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function openerThat(open: () => Promise<void>, retries = true) {
  const logged: unknown[] = [];
  const logger = {
    ...silentLogger,
    error: (fields: object) => void logged.push((fields as { err: unknown }).err),
    warn: (_: object, message: string) => void logged.push(message),
  };
  return { opener: new Opener({ open, logger, retries }), logged };
}

describe('Opener, with a store that cannot be opened at first', () => {
  it('opens the store as soon as possible and logs the failure once', async () => {
    let isHeld = true;
    const open = vi.fn(() => (isHeld ? Promise.reject(HELD) : Promise.resolve()));
    const { opener, logged } = openerThat(open);
    await expect(opener.first).rejects.toBe(HELD);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(open.mock.calls.length).toBeGreaterThan(25);
    expect(logged).toEqual([HELD]);
    const waiting = opener.wait(5_000);
    isHeld = false;
    await vi.advanceTimersByTimeAsync(2_000);
    await waiting;
    expect(logged).toEqual([HELD, 'the stream store is open']);
    await opener.wait(0);
    await vi.advanceTimersByTimeAsync(60_000);
    const calls = open.mock.calls.length;
    expect(await opener.stop()).toBe(true);
    expect(open.mock.calls.length).toBe(calls);
  });

  it('limits the wait of a request, even if the attempt hangs', async () => {
    const { opener } = openerThat(() => new Promise(() => undefined));
    const waiting = opener.wait(5_000);
    const rejected = expect(waiting).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await vi.advanceTimersByTimeAsync(5_000);
    await rejected;
  });

  it('ends waiting requests and makes no further attempt after stop()', async () => {
    const open = vi.fn(() => Promise.reject(HELD));
    const { opener } = openerThat(open);
    await expect(opener.first).rejects.toBe(HELD);
    const rejected = expect(opener.wait(5_000)).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: HELD });
    expect(await opener.stop()).toBe(false);
    await rejected;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(open).toHaveBeenCalledTimes(1);
    await expect(opener.wait(5_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('makes one attempt and logs nothing if it may not retry', async () => {
    const open = vi.fn(() => Promise.reject(HELD));
    const { opener, logged } = openerThat(open, false);
    await expect(opener.first).rejects.toBe(HELD);
    await expect(opener.wait(5_000)).rejects.toMatchObject({ code: 'UNAVAILABLE', cause: HELD });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(open).toHaveBeenCalledTimes(1);
    expect(logged).toEqual([]);
  });

  it('makes no further attempt if the configuration is invalid', async () => {
    const error = new ConfigurationError('redisStore: needs Redis 7');
    const open = vi.fn(() => Promise.reject(error));
    const { opener } = openerThat(open);
    await expect(opener.first).rejects.toBe(error);
    await expect(opener.wait(5_000)).rejects.toBe(error);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(open).toHaveBeenCalledTimes(1);
  });
});
