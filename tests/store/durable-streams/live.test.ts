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
    const store = await t.open({ silenceMs: 50 });
    const id = newId();
    await store.create(id, init());
    const tail = await Tail.open(store, id);
    const before = t.relay.count(requests.head);
    await eventually(async () => t.relay.count(requests.head) >= before + 2, 5_000);
    expect(t.relay.count(requests.live)).toBe(1);
    tail.stop();
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
