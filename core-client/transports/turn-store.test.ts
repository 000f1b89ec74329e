import 'fake-indexeddb/auto';
import { describe, expect, it } from 'vitest';
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
