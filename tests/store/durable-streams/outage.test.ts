import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startProxy } from '../../support/proxy.ts';
import { startUpstream, write } from '../../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../../support/wire.ts';
import { COMPLETE, expectSame, init, newId, readAll } from '../../../server/testing/byte-store/support.ts';
import type { Fault } from './relay.ts';
import { useTroubled } from './troubled.ts';

/** Milliseconds; longer than the 10 s that one attempt of a request may take. */
const OUTAGE_MS = 12_000;

const FAULTS: readonly Fault[] = [{ kind: 'hang' }, { kind: 'reset' }, { kind: 'answer', status: 503 }];

describe('a backend that is unavailable for 12 s', () => {
  const t = useTroubled();

  it('does not interrupt a running response, however its requests fail', { timeout: 90_000 }, async () => {
    const proxy = await startProxy({ durableStreamsUrl: t.relay.url });
    const upstream = await startUpstream(({ res }) => void write(res, 'before '));
    const store = await t.open({ requestTimeoutMs: 10_000, retryTimeoutMs: 30_000 });
    try {
      const locations = await Promise.all(
        FAULTS.map(async () => locationOf(proxy, await post(proxy, `${upstream.url}/answer`))),
      );
      const reads = locations.map(async (location) =>
        readSse(await fetch(withQuery(location, { live: 'sse' }))),
      );
      const id = newId();
      await store.create(id, init());
      await store.append(id, Buffer.from('before '));

      let requests = 0;
      t.relay.trouble = () => FAULTS[(requests += 1) % FAULTS.length];
      for (const { res } of upstream.calls) res.write('during ');
      const appending = store.append(id, Buffer.from('during '));
      await delay(OUTAGE_MS);
      for (const { res } of upstream.calls) res.write('still during ');
      expect(requests).toBeGreaterThan(FAULTS.length);
      t.relay.trouble = () => undefined;
      // A network may deliver requests late, after their senders have timed out. Not awaited: some are live reads,
      // which end with their streams.
      for (const deliver of t.relay.held.splice(0)) deliver().catch(() => undefined);
      for (const { res } of upstream.calls) res.end('after');
      for (const { bytes, controls } of await Promise.all(reads)) {
        expect(bytes.toString()).toBe('before during still during after');
        expect(controls.at(-1)).toMatchObject({ streamClosed: true, upstreamOutcome: 'complete' });
      }
      await appending;
      await store.close(id, COMPLETE, Buffer.from('after'));
      expectSame((await readAll(store, id)).bytes, Buffer.from('before during after'));
    } finally {
      await upstream.close();
      await proxy.stop({ drainMs: 0 });
    }
  });
});
