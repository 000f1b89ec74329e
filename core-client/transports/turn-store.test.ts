import 'fake-indexeddb/auto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heldStorage } from '../../tests/react/support/delayed-storage.ts';
import { MemoryStorage } from '../storage.ts';
import { indexedDbStorage } from './indexed-db.ts';
import { TurnStore } from './turn-store.ts';
import type { Turn } from './turns.ts';

/** The stores of two tabs of a browser. */
function openTabs(): [TurnStore, TurnStore] {
  const storage = new MemoryStorage();
  const contents = indexedDbStorage(crypto.randomUUID())!;
  const warn = (warning: Error) => {
    throw warning;
  };
  const open = () => new TurnStore({ storage, contents, prefix: 'p', warn });
  return [open(), open()];
}

const turn = (text: string): Turn => ({
  requestId: 'chat',
  streamId: text,
  messages: [{ id: text, role: 'user', parts: [{ type: 'text' }] }],
});

describe('removing a turn in one tab', () => {
  it.each(['before', 'while', 'after'])('keeps a newer turn that another tab writes %s it', async (when) => {
    const [first, second] = openTabs();
    await first.set('chat', turn('old'));
    expect(await first.get('chat')).toEqual(turn('old'));
    const written = when === 'before' ? second.set('chat', turn('new')) : undefined;
    const removed = first.remove('chat', 'old');
    if (when === 'after') await removed;
    await (written ?? second.set('chat', turn('new')));
    await removed;
    await Promise.all([first.close(), second.close()]);
    expect(await second.get('chat')).toEqual(turn('new'));
  });

  it('removes its content too', async () => {
    const [first, second] = openTabs();
    await first.set('chat', turn('old'));
    await first.remove('chat', 'old');
    expect(await second.get('chat')).toBeUndefined();
  });
});

it('keeps the newest turn if the storage is asynchronous, however long each operation takes', async () => {
  const change = fc.record({ name: fc.constantFrom('set', 'remove', 'stop'), turns: fc.nat(8) });
  const delays = fc.array(fc.nat(6), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), delays, async (changes, times) => {
      let count = 0;
      const items = new MemoryStorage();
      const later = async <T>(run: () => T): Promise<T> => {
        for (let left = times[count++ % times.length]!; left > 0; left--) await Promise.resolve();
        return run();
      };
      const storage = {
        getItem: (key: string) => later(() => items.getItem(key)),
        setItem: (key: string, value: string) => later(() => items.setItem(key, value)),
        removeItem: (key: string) => later(() => items.removeItem(key)),
      };
      const store = new TurnStore({
        storage,
        prefix: 'p',
        warn: (warning) => {
          throw warning;
        },
      });
      let newest: Turn | undefined;
      const running: Promise<void>[] = [];
      for (const [index, { name, turns }] of changes.entries()) {
        if (name === 'set') running.push(store.set('chat', (newest = turn(String(index)))));
        else if (name === 'stop' && newest)
          running.push(
            store.set('chat', (newest = { requestId: 'chat', streamId: newest.streamId, stopped: true })),
          );
        else if (name === 'remove') {
          const streamId = newest?.streamId;
          running.push(
            newest?.stopped ? store.removeStopped('chat', streamId) : store.remove('chat', streamId),
          );
          newest = undefined;
        }
        for (let left = turns; left > 0; left--) await Promise.resolve();
      }
      await Promise.all(running);
      await store.close();
      expect(await store.get('chat')).toEqual(newest);
      expect([...items.keys()].length).toBe(newest ? (newest.messages ? 2 : 1) : 0);
    }),
    { numRuns: 300 },
  );
});

it('has stored the turn that was being written when close() resolves', async () => {
  const { storage, waiting, release } = heldStorage('setItem', (key) => key.includes(':turn:'));
  const store = new TurnStore({ storage, contents: new MemoryStorage(), prefix: 'p', warn: () => undefined });
  void store.set('chat', turn('new'));
  await waiting;
  let isClosed = false;
  const closed = store.close().then(() => (isClosed = true));
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  release();
  await closed;
  expect([...storage.keys()]).toEqual(['p:turn:chat']);
});
