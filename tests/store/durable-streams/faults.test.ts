import { describe, expect, it } from 'vitest';
import {
  COMPLETE,
  init,
  newId,
  noise,
  readAll,
  storeError,
  Tail,
} from '../../../server/testing/byte-store/support.ts';
import type { Fault } from './relay.ts';
import { requests, useTroubled } from './troubled.ts';

const FAULTS: Record<string, Fault> = {
  'is answered 429': { kind: 'answer', status: 429, retryAfter: '0' },
  'is answered 503': { kind: 'answer', status: 503 },
  'is carried out and answered 500': { kind: 'answer', status: 500, forwarded: true },
  'is reset': { kind: 'reset' },
  'is carried out and reset': { kind: 'reset', forwarded: true },
  hangs: { kind: 'hang' },
  'is carried out and hangs': { kind: 'hang', forwarded: true },
};

describe('a failing backend neither loses nor repeats bytes', () => {
  const t = useTroubled();

  for (const [what, fault] of Object.entries(FAULTS)) {
    it.each(Object.keys(requests) as (keyof typeof requests)[])(`when %s ${what}`, async (request) => {
      const store = await t.open({ requestTimeoutMs: 150 });
      const trouble = t.relay.once(requests[request], fault);
      const id = newId();
      expect(await store.create(id, init({ metadata: { a: 'b' } }))).toBe(true);
      const tail = await Tail.open(store, id);
      for (const word of ['one ', 'two ', 'three ']) await store.append(id, Buffer.from(word));
      await tail.until(({ bytes }) => bytes.length === 14);
      expect(await store.close(id, COMPLETE, Buffer.from('four'))).toEqual(COMPLETE);
      expect((await tail.toEnd()).toString()).toBe('one two three four');
      tail.stop();
      expect(await readAll(store, id)).toMatchObject({
        bytes: Buffer.from('one two three four'),
        end: COMPLETE,
      });
      expect(await store.head(id)).toMatchObject({ ...init({ metadata: { a: 'b' } }), end: COMPLETE });
      expect(await store.delete(id)).toBe(true);
      expect(await store.head(id)).toBeUndefined();
      expect(trouble.hit).toBe(true);
    });
  }

  it('with all faults at random', async () => {
    const store = await t.open({ requestTimeoutMs: 2_000, outcomeGraceMs: 10_000 });
    let state = 12_345;
    const random = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
    const kinds: Fault[] = [
      ...Object.values(FAULTS).filter(({ kind }) => kind !== 'hang'),
      { kind: 'cut', bytes: 100 },
    ];
    t.relay.trouble = (seen) => {
      if (requests.live(seen))
        return { kind: 'cut', bytes: Math.floor(random() * 2_000), ...(random() < 0.5 && { end: true }) };
      return random() < 0.2 ? kinds[Math.floor(random() * kinds.length)] : undefined;
    };
    await Promise.all(
      Array.from({ length: 15 }, async (_, i) => {
        const id = newId();
        expect(await store.create(id, init())).toBe(true);
        const tail = await Tail.open(store, id);
        const parts = Array.from({ length: 25 }, (_, k) =>
          noise(1 + ((i * 31 + k * 17) % 200), i * 100 + k + 1),
        );
        for (const part of parts) await store.append(id, part);
        expect(await store.close(id, COMPLETE, Buffer.from('end'))).toEqual(COMPLETE);
        const wanted = Buffer.concat([...parts, Buffer.from('end')]);
        expect((await tail.toEnd()).equals(wanted)).toBe(true);
        tail.stop();
        expect((await readAll(store, id)).bytes.equals(wanted)).toBe(true);
      }),
    );
  });
});

describe('a backend that keeps failing', () => {
  const t = useTroubled();

  it('fails every operation with UNAVAILABLE in time', async () => {
    const store = await t.open({ retryTimeoutMs: 300 });
    const id = newId();
    await store.create(id, init());
    t.relay.trouble = () => ({ kind: 'answer', status: 500 });
    const begun = performance.now();
    const attempts = [
      store.create(newId(), init()),
      store.append(id, Buffer.from('x')),
      store.read(id, '-1', 10),
      store.follow(id, '-1', () => {}),
      store.head(id),
      store.delete(id),
    ];
    for (const attempt of await Promise.allSettled(attempts)) {
      expect(attempt).toMatchObject({ status: 'rejected', reason: storeError('UNAVAILABLE') });
    }
    expect(performance.now() - begun).toBeLessThan(2_500);
    // The delay doubles: a handful of attempts each, not hundreds.
    expect(t.relay.requests.length).toBeLessThan(80);
  });

  it('is retried after Retry-After, and not at all if that is too late', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    t.relay.once(requests.append, { kind: 'answer', status: 429, retryAfter: '1' });
    let begun = performance.now();
    await store.append(id, Buffer.from('x'));
    expect(performance.now() - begun).toBeGreaterThan(990);
    t.relay.once(requests.append, { kind: 'answer', status: 429, retryAfter: '60' });
    begun = performance.now();
    await expect(store.append(id, Buffer.from('y'))).rejects.toEqual(storeError('UNAVAILABLE'));
    expect(performance.now() - begun).toBeLessThan(500);
  });

  it.each([true, undefined])(
    'does not drop bytes that follow a failed append (carried out: %s)',
    async (forwarded) => {
      const store = await t.open({ requestTimeoutMs: 150, retryTimeoutMs: 250 });
      const id = newId();
      await store.create(id, init());
      await store.append(id, Buffer.from('a'));
      t.relay.trouble = (seen) =>
        requests.append(seen) ? { kind: 'hang', ...(forwarded && { forwarded }) } : undefined;
      await expect(store.append(id, Buffer.from('b'))).rejects.toEqual(storeError('UNAVAILABLE'));
      t.relay.trouble = () => undefined;
      await store.append(id, Buffer.from('c'));
      expect((await readAll(store, id)).bytes.toString()).toBe(forwarded ? 'abc' : 'ac');
      // A request that has failed and arrives late must not be appended after newer bytes.
      for (const carryOut of t.relay.held) expect(await carryOut()).toBe(403);
      expect((await readAll(store, id)).bytes.toString()).toBe(forwarded ? 'abc' : 'ac');
    },
  );

  it.each([true, undefined])(
    'closes once if a failed close is repeated (carried out: %s)',
    async (forwarded) => {
      const store = await t.open({ requestTimeoutMs: 150, retryTimeoutMs: 250 });
      const id = newId();
      await store.create(id, init());
      await store.append(id, Buffer.from('body '));
      t.relay.trouble = (seen) =>
        requests.close(seen) ? { kind: 'hang', ...(forwarded && { forwarded }) } : undefined;
      await expect(store.close(id, COMPLETE, Buffer.from('last'))).rejects.toEqual(storeError('UNAVAILABLE'));
      t.relay.trouble = () => undefined;
      // The caller no longer has the bytes. If the stream has an end already, that one is kept.
      const interrupted = { outcome: 'interrupted', error: { code: 'X', message: 'y' } } as const;
      expect(await store.close(id, interrupted)).toEqual(COMPLETE);
      expect(await readAll(store, id)).toMatchObject({ bytes: Buffer.from('body last'), end: COMPLETE });
    },
  );

  it('never treats a failed HEAD or DELETE as a result', async () => {
    const store = await t.open({ retryTimeoutMs: 200 });
    const id = newId();
    await store.create(id, init());
    t.relay.trouble = ({ method }) =>
      method === 'HEAD' || method === 'DELETE' ? { kind: 'answer', status: 418 } : undefined;
    await expect(store.head(id)).rejects.toEqual(storeError('UNAVAILABLE'));
    await expect(store.delete(id)).rejects.toEqual(storeError('UNAVAILABLE'));
    t.relay.trouble = (seen) => (requests.deleteMeta(seen) ? { kind: 'answer', status: 500 } : undefined);
    await expect(store.delete(id)).rejects.toEqual(storeError('UNAVAILABLE'));
  });
});
