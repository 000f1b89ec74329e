import { afterEach, describe, expect, it, vi } from 'vitest';
import { createProxyServer, durableProxy, type DurableProxyOptions } from '../index.ts';
import { silentLogger } from '../shared/logger.ts';
import { temporaryFolder } from '../../tests/support/proxy.ts';

const SHORT = 'short-one';
const LONG = 'a-secret-of-32-bytes-as-required';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Returns what a proxy with this secret logs as warnings when it is created. */
async function warningsOf(jwtSecret: DurableProxyOptions['jwtSecret']): Promise<unknown[][]> {
  const folder = await temporaryFolder();
  const warnings: unknown[][] = [];
  const logger = { ...silentLogger, warn: (...entry: unknown[]) => void warnings.push(entry) };
  const proxy = durableProxy({ jwtSecret, dataDir: folder.path, logger });
  cleanups.push(
    () => folder.remove(),
    () => proxy.close({ drainMs: 0 }),
  );
  await proxy.ready;
  return warnings;
}

describe('the length of jwtSecret', () => {
  it.each([[SHORT], [[SHORT, 'short-two']], [[LONG, SHORT]]])(
    'causes one warning without the secret if a secret has less than 32 bytes: %j',
    async (jwtSecret) => {
      const warnings = await warningsOf(jwtSecret);
      expect(warnings).toEqual([
        [
          { code: 'SHORT_SECRET' },
          'jwtSecret is shorter than 32 bytes, so it may be guessed. Create a secret with: openssl rand -base64 32',
        ],
      ]);
      expect(JSON.stringify(warnings)).not.toContain('short-');
    },
  );

  it.each([[LONG], ['ö'.repeat(16)], [[LONG, LONG]]])(
    'causes no warning for secrets of 32 bytes: %j',
    async (jwtSecret) => {
      expect(await warningsOf(jwtSecret)).toEqual([]);
    },
  );

  it('is reported once by createProxyServer, to the console without a logger', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const folder = await temporaryFolder();
    const server = await createProxyServer({
      jwtSecret: SHORT,
      port: 0,
      dataDir: folder.path,
      metrics: true,
      inspector: true,
    });
    cleanups.push(
      () => folder.remove(),
      () => server.stop({ drainMs: 0 }),
    );
    expect(print.mock.calls).toEqual([
      [expect.stringMatching(/^durable-proxy: jwtSecret is shorter than 32 bytes/)],
    ]);
  });
});
