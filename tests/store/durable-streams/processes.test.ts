import { describe, expect, it, vi } from 'vitest';
import type { StreamEnd } from '../../../server/store/types.ts';
import {
  COMPLETE,
  init,
  newId,
  noise,
  readAll,
  storeError,
  Tail,
} from '../../../server/testing/byte-store/support.ts';
import { requests, useTroubled } from './troubled.ts';

const by = (name: string): StreamEnd => ({ outcome: 'aborted', error: { code: name, message: name } });

describe('several processes on one backend', () => {
  const t = useTroubled();

  it('see writes, closes and deletes of each other', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    expect(await a.create(id, init({ metadata: { owner: 'a' } }))).toBe(true);
    expect(await b.head(id)).toMatchObject({ metadata: { owner: 'a' } });
    const tail = await Tail.open(b, id);
    await a.append(id, Buffer.from('from a, '));
    await tail.until(({ bytes }) => bytes.length === 8);
    await b.append(id, Buffer.from('from b, '));
    await a.append(id, Buffer.from('from a again'));
    expect(await a.close(id, COMPLETE)).toEqual(COMPLETE);
    expect((await tail.toEnd()).toString()).toBe('from a, from b, from a again');
    tail.stop();
    expect(await b.delete(id)).toBe(true);
    expect(await a.head(id)).toBeUndefined();
  });

  it('notify followers in another process that a stream was deleted', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init());
    const tail = await Tail.open(b, id);
    await a.delete(id);
    await expect(tail.toEnd()).rejects.toEqual(storeError('NOT_FOUND'));
    tail.stop();
  });

  it('notify followers in another process of new metadata', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init({ metadata: { pending: '1' } }));
    const tail = await Tail.open(b, id);
    await a.annotate!(id, { status: '200' });
    await tail.until(({ follower }) => follower.metadata['status'] === '200');
    expect(tail.frames).toEqual([]);
    await a.append(id, Buffer.from('body'));
    await tail.until(({ bytes }) => bytes.length === 4);
    expect(await b.head(id)).toMatchObject({ metadata: { pending: '1', status: '200' } });
    tail.stop();
  });

  it('keep the appends of both, each in its own order', async () => {
    const stores = [await t.openDirect(), await t.openDirect(), await t.openDirect()];
    const id = newId();
    await stores[0]!.create(id, init());
    await Promise.all(
      stores.flatMap((store, s) =>
        Array.from({ length: 50 }, (_, i) => store.append(id, Buffer.from(`${s}:${i};`))),
      ),
    );
    const entries = (await readAll(stores[1]!, id)).bytes.toString().split(';').slice(0, -1);
    expect(entries).toHaveLength(150);
    for (const s of [0, 1, 2]) {
      const own = entries.filter((entry) => entry.startsWith(`${s}:`));
      expect(own).toEqual(Array.from({ length: 50 }, (_, i) => `${s}:${i}`));
    }
  });

  it('create a stream under an id once', async () => {
    const stores = [await t.openDirect(), await t.openDirect(), await t.openDirect()];
    for (let round = 0; round < 15; round += 1) {
      const id = newId();
      const taken = await Promise.all(
        stores.map((store, i) => store.create(id, init({ metadata: { by: String(i) } }))),
      );
      expect(taken.filter(Boolean)).toHaveLength(1);
      for (const store of stores) {
        expect((await store.head(id))?.metadata['by']).toBe(String(taken.indexOf(true)));
      }
    }
  });

  it('keep the first end, with its last bytes', async () => {
    const stores = [await t.openDirect(), await t.openDirect()];
    for (let round = 0; round < 15; round += 1) {
      const id = newId();
      await stores[0]!.create(id, init());
      const tail = await Tail.open(stores[1]!, id);
      const ends = await Promise.all(
        stores.map((store, i) => store.close(id, by(`store ${i}`), Buffer.from(`last of store ${i}`))),
      );
      expect(ends[0]).toEqual(ends[1]);
      expect((await tail.toEnd()).toString()).toBe(`last of ${ends[0]!.error!.code}`);
      expect(tail.end).toEqual(ends[0]);
      tail.stop();
    }
  });

  it('reject a suspended writer after its stream was closed', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init());
    await a.append(id, Buffer.from('before'));
    const own = await Tail.open(a, id);
    await b.close(id, by('guardian'));
    await expect(a.append(id, Buffer.from('after'))).rejects.toEqual(storeError('CLOSED'));
    expect(await a.close(id, COMPLETE, Buffer.from('after'))).toEqual(by('guardian'));
    expect((await own.toEnd()).toString()).toBe('before');
    expect(own.end).toEqual(by('guardian'));
    own.stop();
  });

  it('reject a writer after another one adopted its stream, even if it has just written', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init());
    await a.append(id, Buffer.from('a'), 0);
    const fence = await b.adopt!(id, 0, {});
    await b.append(id, Buffer.from('b'), fence);
    await expect(a.append(id, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
    await expect(a.close(id, COMPLETE, undefined, 0)).rejects.toEqual(storeError('FENCED'));
    await b.close(id, COMPLETE, undefined, fence);
    expect((await readAll(b, id)).bytes.toString()).toBe('ab');
  });

  it('reject a suspended writer after its stream was adopted, before the adopter writes', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init());
    await a.append(id, Buffer.from('a'), 0);
    await b.adopt!(id, 0, {});
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 6_000);
    await expect(a.append(id, Buffer.from('late'), 0)).rejects.toEqual(storeError('FENCED'));
    clock.mockRestore();
    expect((await readAll(b, id)).bytes.toString()).toBe('a');
  });

  it('close the stream of another one only with its fence', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    await a.create(id, init());
    await a.append(id, Buffer.from('a'), 0);
    await expect(b.close(id, by('b'), undefined, 1)).rejects.toEqual(storeError('FENCED'));
    expect(await b.close(id, by('b'), undefined, 0)).toEqual(by('b'));
  });

  it('resume at the exact offset that another process issued', async () => {
    const [a, b] = [await t.openDirect(), await t.openDirect()];
    const id = newId();
    const bytes = noise(200_000);
    await a.create(id, init());
    await a.append(id, bytes.subarray(0, 120_000));
    const places = [];
    for (let offset = '-1', at = 0; at < 120_000;) {
      const frame = await a.read(id, offset, 7_777);
      at += frame.bytes.length;
      offset = frame.next;
      places.push({ at, offset });
    }
    await a.close(id, COMPLETE, bytes.subarray(120_000));
    for (const { at, offset } of places) {
      const tail = await Tail.open(b, id, offset);
      expect((await tail.toEnd()).equals(bytes.subarray(at))).toBe(true);
      tail.stop();
    }
  });
});

describe('a process that dies during an operation', () => {
  const t = useTroubled();

  it('close: the bytes are kept, and the outcome is interrupted permanently', async () => {
    const dying = await t.open({ requestTimeoutMs: 150, retryTimeoutMs: 60_000 });
    const id = newId();
    await dying.create(id, init());
    t.relay.trouble = (seen) => (requests.end(seen) ? { kind: 'hang' } : undefined);
    const closing = dying.close(id, COMPLETE, Buffer.from('all of it'));
    closing.catch(() => undefined);
    const survivor = await t.openDirect();
    const tail = await Tail.open(survivor, id);
    expect((await tail.toEnd()).toString()).toBe('all of it');
    expect(tail.end).toMatchObject({ outcome: 'interrupted', error: { code: 'INTERRUPTED' } });
    tail.stop();
    // It was only slow: its end has no effect, and it receives the stored one.
    for (const carryOut of t.relay.held) expect(await carryOut()).toBeLessThan(300);
    t.relay.trouble = () => undefined;
    expect(await closing).toMatchObject({ outcome: 'interrupted' });
    for (const store of [dying, survivor]) {
      expect((await store.head(id))?.end).toMatchObject({ outcome: 'interrupted' });
    }
  });

  it('create: the stream does not exist, and the id is free', async () => {
    const dying = await t.open({ requestTimeoutMs: 150, retryTimeoutMs: 250 });
    const id = newId();
    t.relay.trouble = (seen) => (requests.beginData(seen) ? { kind: 'hang' } : undefined);
    await expect(dying.create(id, init({ metadata: { by: 'dying' } }))).rejects.toEqual(
      storeError('UNAVAILABLE'),
    );
    const survivor = await t.openDirect();
    expect(await survivor.head(id)).toBeUndefined();
    await expect(survivor.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
    expect(await survivor.create(id, init({ metadata: { by: 'survivor' } }))).toBe(true);
    expect(await survivor.head(id)).toMatchObject({ metadata: { by: 'survivor' } });
    await survivor.append(id, Buffer.from('x'));
    expect((await readAll(survivor, id)).bytes.toString()).toBe('x');
  });

  it('delete: the stream does not exist, and the id is free', async () => {
    const dying = await t.open({ requestTimeoutMs: 150, retryTimeoutMs: 250 });
    const id = newId();
    await dying.create(id, init());
    await dying.append(id, Buffer.from('old'));
    await dying.close(id, COMPLETE);
    t.relay.trouble = (seen) => (requests.deleteMeta(seen) ? { kind: 'hang' } : undefined);
    await expect(dying.delete(id)).rejects.toEqual(storeError('UNAVAILABLE'));
    t.relay.trouble = () => undefined;
    const survivor = await t.open();
    expect(await survivor.head(id)).toBeUndefined();
    // Longer than the TTL of the first stream, by which the backend keeps the log: the log must be deleted.
    const deleted = t.relay.count(requests.deleteMeta);
    expect(await survivor.create(id, init({ ttlSeconds: 7_200 }))).toBe(true);
    expect(t.relay.count(requests.deleteMeta)).toBe(deleted + 1);
    expect(await readAll(survivor, id)).toEqual({ bytes: Buffer.alloc(0), next: expect.any(String) });
    expect((await survivor.head(id))?.ttlSeconds).toBe(7_200);
  });
});
