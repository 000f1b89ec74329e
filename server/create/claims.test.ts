import { beforeEach, describe, expect, it } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { StoreError } from '../store/types.ts';
import { LogClaims } from '../coordination/logs/claims.ts';
import { Claims, type Claimed } from './claims.ts';

const KEY = { subject: undefined, key: 'key', fingerprint: 'request' };
const forever = new AbortController().signal;

let store: ManualStore;
let alive: Set<string>;

beforeEach(() => {
  store = new ManualStore();
  alive = new Set(['a', 'b', 'c']);
});

function claimsOf(id: string): Claims {
  return claimsWith(id, () => Promise.resolve(true));
}

function claimsWith(id: string, notifyWaiting: (process: string) => Promise<boolean>): Claims {
  const processes = { id, isAlive: (process: string) => Promise.resolve(alive.has(process)) };
  const claims = new LogClaims(store, 60);
  return new Claims({ claims, processes, notifyWaiting, streams: store, isHere: () => true });
}

const take = (process: string, streamId = `stream-of-${process}`): Promise<Claimed> =>
  claimsOf(process).claim({ ...KEY, streamId }, forever);

async function makeStream(streamId: string): Promise<void> {
  await store.create(streamId, { contentType: '', ttlSeconds: 60, metadata: {} });
}

/** Claims the key for a process that dies before the upstream responds. */
async function takeAndDie(process: string): Promise<Extract<Claimed, { mine: true }>> {
  const claimed = await take(process);
  alive.delete(process);
  if (!claimed.mine) throw new Error('the key was not free');
  return claimed;
}

/** Checks that another process waits for the holder and does not write to the log. */
async function expectHeldBy(process: string): Promise<void> {
  store.holds = (name) => name === 'follow' || name === 'append';
  const third = take('c');
  const next = await store.nextHeld();
  store.holds = () => false;
  expect(next.name).toBe('follow');
  await makeStream(`stream-of-${process}`);
  // Any entry of the holder ends the wait.
  const entry = { of: `stream-of-${process}`, state: 'kept' };
  await store.append(next.id, Buffer.from(`${JSON.stringify(entry)}\n`));
  next.run();
  expect(await third).toMatchObject({ mine: false, streamId: `stream-of-${process}` });
}

describe('a claim whose process died', () => {
  it('goes to only one of two processes that both found its process dead', async () => {
    await takeAndDie('a');
    // Both have read the claim when the first of them writes.
    store.holds = (name) => name === 'append' || name === 'delete';
    const takers = [take('b'), take('c')];
    const writes = [await store.nextHeld(), await store.nextHeld()];
    store.holds = () => false;
    writes[0]!.run();
    const winner = await takers[0]!;
    expect(winner.mine).toBe(true);
    writes[1]!.run();
    await makeStream('stream-of-b');
    expect(await takers[1]!).toMatchObject({ mine: false, streamId: 'stream-of-b' });
  });

  it.each(['keep', 'free'] as const)(
    'stays with its new holder if the former holder wakes up and calls %s',
    async (act) => {
      const sleeper = await takeAndDie('a');
      expect((await take('b')).mine).toBe(true);
      await sleeper[act]();
      await expectHeldBy('b');
    },
  );
});

describe('a claim', () => {
  it('can be taken by another request after it was released', async () => {
    const first = await take('a');
    if (first.mine) await first.free();
    const other = { ...KEY, fingerprint: 'another request', streamId: 'stream-of-b' };
    expect((await claimsOf('b').claim(other, forever)).mine).toBe(true);
  });

  it('stays released if its stream is deleted while the create stores its result', async () => {
    const first = await take('a');
    await makeStream('stream-of-a');
    await store.delete('stream-of-a');
    await claimsOf('b').release(claimsOf('b').idOf(KEY), 'stream-of-a');
    if (first.mine) await first.keep();
    expect((await take('b')).mine).toBe(true);
  });

  it('is taken over at once if its process dies between the check and the message to it', async () => {
    await take('a');
    const claims = claimsWith('b', (process) => Promise.resolve(!alive.delete(process)));
    expect((await claims.claim({ ...KEY, streamId: 'stream-of-b' }, forever)).mine).toBe(true);
    expect(store.calls.some((call) => call.startsWith('follow'))).toBe(false);
  });

  it('is not released by the deletion of an earlier stream with the same key', async () => {
    const first = await take('a');
    if (first.mine) await first.keep();
    // Its stream expired, and another create took the key.
    expect((await take('b')).mine).toBe(true);
    await claimsOf('a').release(claimsOf('a').idOf(KEY), 'stream-of-a');
    await expectHeldBy('b');
  });

  it('is released after a write that the store reported as failed', async () => {
    store.holds = (name) => name === 'create';
    const failing = take('a');
    const create = await store.nextHeld();
    store.holds = () => false;
    create.run();
    create.fail(new StoreError('UNAVAILABLE', 'no reply'));
    await failing.catch(() => undefined);
    // Not even by its own process, which is alive.
    alive.delete('a');
    expect((await take('b')).mine).toBe(true);
  });

  it('costs a new key one operation of the store', async () => {
    await take('a');
    expect(store.calls).toHaveLength(1);
  });
});

describe('a log that version 0.1 closed', () => {
  beforeEach(async () => {
    const id = claimsOf('a').idOf(KEY);
    const metadata = { kind: 'claim', fingerprint: KEY.fingerprint, streamId: 'old', owner: 'dead' };
    await store.create(id, { contentType: '', ttlSeconds: 60, metadata });
    await store.close(id, { outcome: 'complete' });
  });

  it('leads to its stream, which can be deleted', async () => {
    await makeStream('old');
    expect(await take('a')).toMatchObject({ mine: false, streamId: 'old' });
    await claimsOf('a').release(claimsOf('a').idOf(KEY), 'old');
  });

  it('can be taken by one process after its stream was deleted', async () => {
    const first = await take('a');
    expect(first.mine).toBe(true);
    if (first.mine) await first.keep();
    await makeStream('stream-of-a');
    expect(await take('b')).toMatchObject({ mine: false, streamId: 'stream-of-a' });
  });

  it('does not prevent an abort from being remembered', async () => {
    await claimsOf('a').abort(undefined, 'key');
    await expect(take('b')).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
  });
});

describe('an abort', () => {
  it('rejects a create that arrives later, and is idempotent', async () => {
    expect(await claimsOf('a').abort(undefined, 'key')).toBeUndefined();
    await claimsOf('b').abort(undefined, 'key');
    await expect(take('c')).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
  });

  it('ends the wait of other processes during a create, and cannot be undone by the holder', async () => {
    const holder = await take('a');
    const waiting = take('b');
    expect(await claimsOf('c').abort(undefined, 'key')).toMatchObject({
      process: 'a',
      token: 'stream-of-a',
    });
    await expect(waiting).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
    if (holder.mine) await holder.free();
    await expect(take('c')).rejects.toMatchObject({ code: 'REQUEST_ABORTED' });
  });

  it('does not affect the key of another subject', async () => {
    await claimsOf('a').abort('ann', 'key');
    expect((await take('b')).mine).toBe(true);
  });
});
