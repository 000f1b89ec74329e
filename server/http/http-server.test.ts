import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { serverTimeouts } from './http-server.ts';

describe('serverTimeouts', () => {
  it.each([1, 75_000, 3_600_000, 2 ** 31 - 1])(
    'keeps a connection without a request open longer than the keep-alive timeout of %i ms',
    (keepAliveTimeoutMs) => {
      const timeouts = serverTimeouts({ keepAliveTimeoutMs, requestBodyTimeoutMs: 1_000 });
      expect(timeouts.keepAliveTimeout).toBe(keepAliveTimeoutMs);
      expect(timeouts.headersTimeout).toBeGreaterThan(keepAliveTimeoutMs);
      // Throws ERR_OUT_OF_RANGE if headersTimeout exceeds requestTimeout.
      createServer(timeouts);
    },
  );

  it('lets requestBodyTimeoutMs reject a slow body', () => {
    const requestBodyTimeoutMs = 3_600_000;
    const timeouts = serverTimeouts({ keepAliveTimeoutMs: 75_000, requestBodyTimeoutMs });
    expect(timeouts.requestTimeout).toBeGreaterThan(requestBodyTimeoutMs);
  });
});
