import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  COMPLETE,
  eventually,
  expectSame,
  init,
  newId,
  noise,
  Tail,
} from '../../../server/testing/byte-store/support.ts';
import { requests, useTroubled } from './troubled.ts';

describe('live reads at the backend', () => {
  const t = useTroubled();

  it('are shared by all followers of a stream, and end with the last one', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    const tails = await Promise.all(Array.from({ length: 50 }, () => Tail.open(store, id)));
    await store.append(id, Buffer.from('x'));
    await Promise.all(tails.map((tail) => tail.until(({ bytes }) => bytes.length === 1)));
    expect(t.relay.count(requests.live)).toBe(1);
    expect(t.relay.open).toBe(1);
    for (const tail of tails.slice(1)) tail.stop();
    await store.append(id, Buffer.from('y'));
    await tails[0]!.until(({ bytes }) => bytes.length === 2);
    expect(t.relay.open).toBe(1);
    tails[0]!.stop();
    await eventually(async () => t.relay.open === 0, 2_000);
    expect(t.relay.count(requests.live)).toBe(1);
  });

  it('need no request per append besides the append', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    const tail = await Tail.open(store, id);
    const before = t.relay.requests.length;
    for (let i = 0; i < 100; i += 1) await store.append(id, Buffer.from('x'));
    await tail.until(({ bytes }) => bytes.length === 100);
    // During the first appends, the tail's connection may still be opening.
    expect(t.relay.requests.length - before).toBeLessThanOrEqual(101);
    tail.stop();
  });

  it.each([
    ['closes in the middle of an event', { kind: 'cut', bytes: 1_000 }],
    ['is ended by the server regularly', { kind: 'cut', bytes: 1_500, end: true }],
  ] as const)('continue at the exact offset when the connection %s', async (_, fault) => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    t.relay.trouble = (seen) => (requests.live(seen) ? fault : undefined);
    const tail = await Tail.open(store, id);
    const bytes = noise(6_000);
    for (let at = 0; at < bytes.length; at += 100) await store.append(id, bytes.subarray(at, at + 100));
    await store.close(id, COMPLETE);
    expectSame(await tail.toEnd(), bytes);
    tail.stop();
    expect(t.relay.count(requests.live)).toBeGreaterThan(3);
  });

  it('are replaced by catch-up reads if no connection lasts for one event', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    t.relay.trouble = (seen) => (requests.live(seen) ? { kind: 'cut', bytes: 5_000 } : undefined);
    const tail = await Tail.open(store, id);
    const bytes = noise(100_000);
    await store.append(id, bytes);
    await tail.until((seen) => seen.bytes.length === bytes.length);
    expectSame(tail.bytes, bytes);
    tail.stop();
  });

  it('that stall are detected if this process wrote and receives nothing', async () => {
    const store = await t.open({ silenceMs: 60_000 });
    const id = newId();
    await store.create(id, init());
    t.relay.once(requests.live, { kind: 'stall' });
    const tail = await Tail.open(store, id);
    await store.append(id, Buffer.from('seen all the same'));
    await tail.until(({ bytes }) => bytes.length === 17);
    expect(t.relay.count(requests.live)).toBe(2);
    tail.stop();
  });

  it('that stall are detected if another process wrote, closed or deleted', async () => {
    const [store, other] = [await t.open(), await t.openDirect()];
    const id = newId();
    await store.create(id, init());
    t.relay.once(requests.live, { kind: 'stall' });
    const tail = await Tail.open(store, id);
    await other.append(id, Buffer.from('written, '));
    await tail.until(({ bytes }) => bytes.length === 9);
    await other.close(id, COMPLETE, Buffer.from('closed'));
    expect((await tail.toEnd()).toString()).toBe('written, closed');
    tail.stop();
  });

  it('poll an idle stream only occasionally', async () => {
    const [store, writer] = [await t.open({ silenceMs: 50 }), await t.openDirect()];
    const id = newId();
    await writer.create(id, init());
    const tail = await Tail.open(store, id);
    const before = t.relay.count(requests.head);
    await eventually(async () => t.relay.count(requests.head) >= before + 2, 5_000);
    expect(t.relay.count(requests.live)).toBe(1);
    tail.stop();
  });
});

describe('followers in the process that writes', () => {
  const t = useTroubled();

  it('need no request at the backend besides the appends', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    const tails = [await Tail.open(store, id), await Tail.open(store, id)];
    const before = t.relay.requests.length;
    for (let i = 0; i < 50; i += 1) await store.append(id, Buffer.from('x'), 0);
    // The close has two requests.
    await store.close(id, COMPLETE, Buffer.from('y'), 0);
    // On a slow machine, the stream is polled between two appends.
    const sent = t.relay.requests.slice(before).filter((seen) => !requests.head(seen));
    expect(sent).toHaveLength(52);
    for (const tail of tails) {
      expect((await tail.toEnd()).toString()).toBe(`${'x'.repeat(50)}y`);
      expect(tail.end).toEqual(COMPLETE);
      tail.stop();
    }
    expect(t.relay.count(requests.live)).toBe(0);
  });

  it('listen at the backend to a log that other processes write too', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init({ hasManyWriters: true }));
    await store.append(id, Buffer.from('own'));
    const tail = await Tail.open(store, id);
    await expect.poll(() => t.relay.count(requests.live)).toBe(1);
    tail.stop();
  });

  it('need no live read if they begin while an append is in progress', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    const appended = store.append(id, Buffer.from('a'), 0);
    const tail = await Tail.open(store, id);
    await appended;
    await store.append(id, Buffer.from('b'), 0);
    await store.close(id, COMPLETE, Buffer.from('c'), 0);
    expect((await tail.toEnd()).toString()).toBe('abc');
    expect(t.relay.count(requests.live)).toBe(0);
    tail.stop();
  });

  it('get no bytes that the backend has not acknowledged', async () => {
    const store = await t.open({ requestTimeoutMs: 300 });
    const id = newId();
    await store.create(id, init());
    const tail = await Tail.open(store, id);
    t.relay.once(requests.append, { kind: 'hang' });
    const appended = store.append(id, Buffer.from('late'), 0);
    await eventually(async () => t.relay.held.length === 1, 2_000);
    expect(tail.bytes).toHaveLength(0);
    await appended;
    await tail.until(({ bytes }) => bytes.length === 4);
    tail.stop();
  });

  it.each([true, undefined])(
    'get each byte once after an append that failed (carried out: %s)',
    async (forwarded) => {
      const store = await t.open({ requestTimeoutMs: 300, retryTimeoutMs: 500 });
      const id = newId();
      await store.create(id, init());
      const tail = await Tail.open(store, id);
      await store.append(id, Buffer.from('a'), 0);
      t.relay.trouble = (seen) =>
        requests.append(seen) ? { kind: 'hang', ...(forwarded && { forwarded }) } : undefined;
      await expect(store.append(id, Buffer.from('b'), 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      t.relay.trouble = () => undefined;
      for (const byte of ['c', 'd', 'e']) await store.append(id, Buffer.from(byte), 0);
      await store.close(id, COMPLETE, Buffer.from('f'), 0);
      expect((await tail.toEnd()).toString()).toBe(forwarded ? 'abcdef' : 'acdef');
      tail.stop();
    },
  );

  it('get what an adopter writes', async () => {
    const [store, other] = [await t.open(), await t.openDirect()];
    const id = newId();
    await store.create(id, init());
    const tail = await Tail.open(store, id);
    await store.append(id, Buffer.from('own, '), 0);
    const fence = await other.adopt!(id, 0, {});
    await other.append(id, Buffer.from('of the adopter, '), fence);
    await tail.until(({ bytes }) => bytes.length === 21);
    await expect(store.append(id, Buffer.from('late'), 0)).rejects.toMatchObject({ code: 'FENCED' });
    await other.close(id, COMPLETE, Buffer.from('end'), fence);
    expect((await tail.toEnd()).toString()).toBe('own, of the adopter, end');
    tail.stop();
  });

  it('get what the process writes after it adopted their stream', async () => {
    const [store, other] = [await t.open(), await t.openDirect()];
    const id = newId();
    await other.create(id, init());
    const tail = await Tail.open(store, id);
    await other.append(id, Buffer.from('a'), 0);
    const fence = await store.adopt!(id, 0, {});
    await expect(
      other.append(id, Buffer.from('x'), 0).then(() => store.append(id, Buffer.from('b'), fence)),
    ).resolves.toBeUndefined();
    await expect(other.append(id, Buffer.from('y'), 0)).rejects.toMatchObject({ code: 'FENCED' });
    for (const byte of ['c', 'd']) await store.append(id, Buffer.from(byte), fence);
    await store.close(id, COMPLETE, undefined, fence);
    expect((await tail.toEnd()).toString()).toBe('axbcd');
    tail.stop();
  });

  it('notice within about a second that another process closed or deleted the stream', async () => {
    const [store, other] = [await t.open(), await t.openDirect()];
    const [closed, deleted] = [newId(), newId()];
    for (const id of [closed, deleted]) await store.create(id, init());
    const tails = [await Tail.open(store, closed), await Tail.open(store, deleted)];
    const begun = performance.now();
    await other.close(closed, COMPLETE, Buffer.from('last'));
    await other.delete(deleted);
    expect((await tails[0]!.toEnd()).toString()).toBe('last');
    await expect(tails[1]!.toEnd()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(performance.now() - begun).toBeLessThan(4_000);
    for (const tail of tails) tail.stop();
  });
});

describe('a follower behind the tail', () => {
  const t = useTroubled();

  it('reads no more from the backend than requested', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init());
    const bytes = noise(16_000_000);
    for (let at = 0; at < bytes.length; at += 2_000_000)
      await store.append(id, bytes.subarray(at, at + 2_000_000));
    const before = t.relay.passed;
    const news = new EventTarget();
    const follower = await store.follow(id, '-1', () => news.dispatchEvent(new Event('readable')));
    expect(follower.next()?.bytes.length).toBeGreaterThan(0);
    // Other requests show that there was enough time for bytes to flow.
    for (let i = 0; i < 200; i += 1) await store.head(id);
    expect(t.relay.passed - before).toBeLessThan(8_000_000);
    let length = 0;
    const rest = [];
    for (;;) {
      const readable = once(news, 'readable');
      const frame = follower.next();
      if (!frame) {
        await readable;
        continue;
      }
      rest.push(frame.bytes);
      length += frame.bytes.length;
      if (frame.upToDate) break;
    }
    expectSame(Buffer.concat(rest), bytes.subarray(bytes.length - length));
    expect(t.relay.count(requests.catchUp)).toBe(1);
    follower.stop();
  });

  it('continues where an incomplete response ended, and fails if responses make no progress', async () => {
    const store = await t.open({ requestTimeoutMs: 300 });
    const id = newId();
    await store.create(id, init());
    const bytes = noise(300_000);
    await store.append(id, bytes);
    await store.close(id, COMPLETE);
    t.relay.trouble = (seen) => (requests.catchUp(seen) ? { kind: 'cut', bytes: 100_000 } : undefined);
    // Each response starts where the last one did, so it contains nothing new.
    const stuck = await Tail.open(store, id);
    await expect(stuck.toEnd()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    stuck.stop();
    t.relay.once(requests.catchUp, { kind: 'cut', bytes: 100_000 });
    const tail = await Tail.open(store, id);
    expectSame(await tail.toEnd(), bytes);
    tail.stop();
    t.relay.once(requests.catchUp, { kind: 'stall' });
    expect((await store.read(id, '-1', 10)).bytes.length).toBe(10);
  });
});
