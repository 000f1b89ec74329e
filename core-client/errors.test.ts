import { describe, expect, it } from 'vitest';
import {
  DurableError,
  DurableNetworkError,
  DurableStorageError,
  DurableStreamError,
  isDurableError,
  isDurableNetworkError,
  isDurableStreamError,
} from './errors.ts';

const target = { method: 'POST', url: 'https://api.example.com/v1/x?key=secret#more' };

describe('DurableError', () => {
  it('has a code, a literal name, a cause, and its request without secrets', () => {
    const cause = new TypeError('fetch failed');
    const error = new DurableNetworkError('NETWORK_ERROR', 'gone', { cause, target });
    expect(error).toBeInstanceOf(DurableError);
    expect(error).not.toBeInstanceOf(TypeError);
    expect(error).toMatchObject({
      name: 'DurableNetworkError',
      code: 'NETWORK_ERROR',
      cause,
      method: 'POST',
    });
    expect(error.url).toBe('https://api.example.com/v1/x');
    expect(JSON.stringify({ ...error }) + error.stack).not.toContain('secret');
  });

  it('has the outcome, the status and the retry time', () => {
    const error = new DurableStreamError('TIMEOUT', 'late', {
      outcome: 'timeout',
      status: 503,
      retryAfterMs: 0,
    });
    expect(error).toMatchObject({ code: 'TIMEOUT', outcome: 'timeout', status: 503, retryAfterMs: 0 });
    const bare = new DurableStreamError('TIMEOUT', 'late');
    expect([bare.outcome, bare.status, bare.retryAfterMs, bare.url]).toEqual(Array(4).fill(undefined));
  });

  it('is recognized by name, also from another realm', () => {
    const network = new DurableNetworkError('NETWORK_ERROR', 'x');
    const stream = new DurableStreamError('ABORTED', 'x');
    const storage = new DurableStorageError('STORAGE_FAILED', 'x');
    expect([network, stream, storage, new Error()].map(isDurableError)).toEqual([true, true, true, false]);
    expect([network, stream, storage].map(isDurableNetworkError)).toEqual([true, false, false]);
    expect([network, stream, storage].map(isDurableStreamError)).toEqual([false, true, false]);
    expect(isDurableStreamError({ name: 'DurableStreamError' })).toBe(true);
    for (const other of [null, undefined, 'DurableStreamError', 5]) expect(isDurableError(other)).toBe(false);
  });
});
