import { beforeEach, describe, expect, it } from 'vitest';
import { ManualStore } from '../../tests/support/manual-store.ts';
import { seeded } from '../../tests/support/random.ts';
import { LogNames } from '../coordination/logs/names.ts';
import { StreamKeys } from './stream-keys.ts';

const forever = new AbortController().signal;
/** Lines after which a log is replaced, two for each create. */
const CREATES_PER_LOG = 128;

let store: ManualStore;
beforeEach(() => void (store = new ManualStore()));

/** Returns the keys of one process. */
const processOn = (id: string, isAlive = true): StreamKeys =>
  new StreamKeys(new LogNames(store, 60), { id, isAlive: () => Promise.resolve(isAlive) });
const create = async (keys: StreamKeys, streamId: string): Promise<void> => {
  await keys.accepted('ada', 'chat', streamId);
  await keys.answered('ada', 'chat', streamId);
};
const latestOf = async (keys: StreamKeys): Promise<string | undefined> =>
  (await keys.latest('ada', 'chat'))?.streamId;
const newestOf = async (keys: StreamKeys): Promise<string | undefined> =>
  (await keys.newest('ada', 'chat', forever))?.streamId;
/** Waits until pending operations of the store have run. */
const runPending = () => new Promise((resolve) => setImmediate(resolve));

describe('the log of a Stream-Key', () => {
  it('stays short after 10,000 creates, and so does what a find reads', async () => {
    const [one, two] = [processOn('one'), processOn('two')];
    let bytesRead = 0;
    const read = store.read.bind(store);
    store.read = async (...args) => {
      const frame = await read(...args);
      bytesRead += frame.bytes.length;
      return frame;
    };
    let most = { stored: 0, read: 0 };
    for (let i = 0; i < 10_000; i += 1) {
      await create(i % 2 ? one : two, `stream-${i}`);
      if (i % 100 !== 99) continue;
      const stored = [...store.logs.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
      bytesRead = 0;
      expect(await newestOf(one)).toBe(`stream-${i}`);
      most = { stored: Math.max(most.stored, stored), read: Math.max(most.read, bytesRead) };
      await runPending();
    }
    expect(most.stored).toBeLessThan(200_000);
    expect(most.read).toBeLessThan(200_000);
    expect(store.logs.size).toBeLessThanOrEqual(4);
  });

  it('stays short without readers', async () => {
    const keys = processOn('one');
    for (let i = 0; i < 10_000; i += 1) {
      await create(keys, `stream-${i}`);
      await runPending();
    }
    const stored = [...store.logs.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    expect(stored).toBeLessThan(400_000);
  });

  it('needs one more operation for the first create with a name than for others, and one log', async () => {
    const keys = processOn('one');
    await create(keys, 'first');
    expect([...store.logs.keys()]).toHaveLength(1);
    expect(store.calls.filter((call) => !call.startsWith('read')).length).toBe(3);
  });

  it('finds each create from another process while logs are replaced, in any order of operations', async () => {
    for (let seed = 1; seed <= 3; seed += 1) {
      store = new ManualStore();
      const random = seeded(seed);
      const processes = [processOn('one'), processOn('two'), processOn('three')];
      store.holds = () => random() < 0.2;
      let isDone = false;
      const release = async (): Promise<void> => {
        while (!isDone || store.held.length > 0) {
          const [operation] = store.held.splice(Math.floor(random() * store.held.length), 1);
          operation?.run();
          await runPending();
        }
      };
      const releasing = release();
      for (let i = 0; i < 4 * CREATES_PER_LOG; i += 1) {
        const [writer, reader] = [0, 1].map((k) => processes[(i + k) % 3]!) as [StreamKeys, StreamKeys];
        await writer.accepted('ada', 'chat', `stream-${i}`);
        expect(await latestOf(reader)).toBe(`stream-${i}`);
        const verdict = i % 3 === 0 ? 'failed' : 'answered';
        await writer[verdict]('ada', 'chat', `stream-${i}`);
        const newest = i % 3 === 0 && i > 0 ? i - 1 : i;
        if (i > 0) expect(await latestOf(reader)).toBe(`stream-${newest}`);
      }
      isDone = true;
      await releasing;
    }
  });

  it.each(Array.from({ length: 14 }, (_, count) => count))(
    'survives a process that dies after %i operations of a replacement',
    async (count) => {
      const dying = processOn('dying');
      for (let i = 0; i <= CREATES_PER_LOG; i += 1) await create(dying, `old-${i}`);
      // From here on, `count` operations of the process succeed.
      let left = count;
      store.holds = () => (left -= 1) < 0;
      void dying.latest('ada', 'chat').catch(() => undefined);
      for (let i = 0; i < 20; i += 1) await runPending();
      store.holds = () => false;
      const [one, two] = [processOn('one'), processOn('two')];
      expect(await latestOf(one)).toBe(`old-${CREATES_PER_LOG}`);
      for (let i = 0; i < 2 * CREATES_PER_LOG; i += 1) {
        await create(i % 2 ? one : two, `new-${i}`);
        expect(await latestOf(i % 2 ? two : one)).toBe(`new-${i}`);
        await runPending();
      }
      expect(store.logs.size).toBeLessThanOrEqual(4);
    },
  );

  it('keeps a result although every later create of two logs failed', async () => {
    const keys = processOn('one');
    await create(keys, 'good');
    for (let i = 0; i < 4 * CREATES_PER_LOG; i += 1) {
      await keys.accepted('ada', 'chat', `bad-${i}`);
      await keys.failed('ada', 'chat', `bad-${i}`);
      expect(await newestOf(keys)).toBe('good');
      await runPending();
    }
  });

  it('finds a result whose log was replaced meanwhile', async () => {
    const [one, two] = [processOn('one'), processOn('two')];
    for (let i = 0; i <= CREATES_PER_LOG; i += 1) await create(one, `old-${i}`);
    await one.accepted('ada', 'chat', 'slow');
    const found = newestOf(two);
    await runPending();
    await one.latest('ada', 'chat');
    await runPending();
    await one.answered('ada', 'chat', 'slow');
    expect(await found).toBe('slow');
  });

  it('marks the create of a dead process as failed, also in a replaced log', async () => {
    const dead = processOn('dead');
    for (let i = 0; i <= CREATES_PER_LOG; i += 1) await create(dead, `old-${i}`);
    await dead.accepted('ada', 'chat', 'lost');
    await dead.latest('ada', 'chat');
    await runPending();
    expect(await newestOf(processOn('one', false))).toBe(`old-${CREATES_PER_LOG}`);
  });
});
