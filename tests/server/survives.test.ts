import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { hasRecordings, recording, recordingNames } from '../support/recordings.ts';
import { startRelay } from '../support/relay.ts';
import { startUpstream, writeInPieces } from '../support/upstream.ts';

/** Minimum number of cuts in one response for a meaningful test. */
const LEAST_CUTS = 50;

let proxy: TestProxy;
beforeAll(async () => {
  proxy = await startProxy();
});
afterAll(() => proxy.stop({ drainMs: 0 }));

/**
 * Streams `body` in random pieces through a network that resets each connection within `largest` bytes, and reads it
 * with the client.
 */
async function survive(body: Buffer, seed: number, largest: number, largestPiece = 700) {
  const random = seeded(seed);
  const upstream = await startUpstream(({ res }) => {
    void writeInPieces(res, body, random, largestPiece).then(() => res.end());
  });
  // The connection of the create is not cut: this is about reading. Each connection carries at least one whole event,
  // because otherwise no progress is possible.
  let connections = 0;
  const relay = await startRelay(proxy.url, () => {
    connections += 1;
    return connections === 1 ? 4_000 : 10_000 + Math.floor(random() * largest);
  });
  try {
    const durableFetch = createDurableFetch({
      proxyUrl: `${relay.url}/v1/proxy`,
      proxyAuthorization: SECRET,
      storage: new MemoryStorage(),
    });
    const response = await durableFetch(`${upstream.url}/answer`, { method: 'POST', body: '{}' });
    const read = Buffer.from(await response.arrayBuffer());
    return { read, cuts: relay.cuts, calls: upstream.calls.length, outcome: await response.outcome };
  } finally {
    await relay.close();
    await upstream.close();
  }
}

describe('a response survives its reader', () => {
  it.skipIf(!hasRecordings).each(recordingNames)(
    '%s: byte for byte through random cuts, one upstream call',
    async (name) => {
      const body = recording(name);
      const { read, calls, outcome } = await survive(body, 7, 30_000);
      expect(read.equals(body)).toBe(true);
      expect({ calls, outcome }).toEqual({ calls: 1, outcome: 'complete' });
    },
  );

  it(`arbitrary bytes, cut at least ${LEAST_CUTS} times`, async () => {
    const body = randomBytes(1_500_000);
    const { read, cuts, calls, outcome } = await survive(body, 11, 60_000, 8_000);
    expect(read.equals(body)).toBe(true);
    expect(cuts).toBeGreaterThanOrEqual(LEAST_CUTS);
    expect({ calls, outcome }).toEqual({ calls: 1, outcome: 'complete' });
  });

  it('text with characters of several bytes, split within characters', async () => {
    const body = Buffer.from('data: 東京 👩‍👩‍👧 naïve\r\n\r\n'.repeat(800));
    const { read, calls } = await survive(body, 13, 30_000);
    expect(read.toString()).toBe(body.toString());
    expect(calls).toBe(1);
  });
});
