// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { act, waitFor } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { indexedDbStorage } from '../../core-client/transports/indexed-db.ts';
import { textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const ANSWER = textAnswer('one ', 'two');
const DAY_MS = 24 * 3_600_000;
/** 6 MB, more than `localStorage` holds. */
const IMAGE = `data:image/png;base64,${'A'.repeat(6 * 1024 * 1024)}`;

const world = useWorld();
const database = indexedDbStorage('durable-proxy')!;

afterEach(async () => {
  vi.restoreAllMocks();
  for (const key of await database.keys()) await database.removeItem(key);
});

const open = (more: object = {}): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

/** Sends a message with a file, and waits for the first words of the answer. */
async function ask(page: Page, url: string) {
  const files = [{ type: 'file' as const, mediaType: 'image/png', url }];
  act(() => void page.result.current.sendMessage({ text: 'What is this?', files }));
  const exchange = (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
  await untilText(page, 'one ');
  return exchange;
}

const stored = () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
/** Returns the keys of turns. For a finished answer, the client keeps a number under another key. */
const keptKeys = async () => [
  ...(await database.keys()),
  ...Object.keys(localStorage).filter((key) => /^durable-proxy:\w+:turn:/.test(key)),
];

/** Makes every write to the database fail as with a full disk. */
function fillDatabase() {
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('Full', 'QuotaExceededError');
  });
}

describe('the messages of an unfinished turn', () => {
  it('are restored after a reload with a 6 MB image, from IndexedDB only', async () => {
    const id = uniqueId();
    const before = open({ id });
    const exchange = await ask(before, IMAGE);
    await waitFor(async () => expect(await database.keys()).toHaveLength(1));
    expect(stored()).not.toContain('What is this?');
    before.unmount();

    const after = open({ id });
    await untilText(after, 'one ');
    const [question] = after.result.current.messages;
    expect(textOf(question)).toBe('What is this?');
    expect(question?.parts.find(({ type }) => type === 'file')).toMatchObject({ url: IMAGE });
    exchange.send(...ANSWER.slice(4)).done();
    await untilStatus(after, 'ready');
    await waitFor(async () => expect(await keptKeys()).toEqual([]));
  });

  it('are removed by forget() from sessionStorage if the database cannot be opened', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      throw new DOMException('Blocked', 'SecurityError');
    });
    const warnings: Error[] = [];
    const page = open({ onWarning: (warning: Error) => warnings.push(warning) });
    await ask(page, 'data:image/png;base64,AAAA');
    await waitFor(() => expect(JSON.stringify({ ...sessionStorage })).toContain('What is this?'));
    await act(() => page.result.current.forget());
    expect(JSON.stringify({ ...sessionStorage })).not.toContain('What is this?');
    expect(warnings.map(({ message }) => message).join()).toMatch(/forget\(\) failed: the storage failed/);
  });

  it('are removed when the answer is stopped', async () => {
    const page = open({ id: uniqueId() });
    const exchange = await ask(page, 'https://app.example.com/image.png');
    await waitFor(async () => expect(await database.keys()).toHaveLength(1));
    await act(() => page.result.current.stop());
    await exchange.closed;
    await waitFor(async () => expect(await keptKeys()).toEqual([]));
  });

  it('are removed after a week, except those of a younger turn', async () => {
    const [old, young] = [open({ id: uniqueId() }), open({ id: uniqueId() })];
    const now = Date.now();
    for (const [page, age] of [
      [old, 8 * DAY_MS],
      [young, 6 * DAY_MS],
    ] as const) {
      vi.spyOn(Date, 'now').mockReturnValue(now - age);
      await ask(page, 'https://app.example.com/image.png');
      await waitFor(async () =>
        expect((await database.keys()).some((key) => key.endsWith(page.result.current.id))).toBe(true),
      );
    }
    const turns = () => Object.keys(localStorage).filter((key) => /:turn:[^:]*chat-/.test(key));
    expect(turns()).toHaveLength(2);
    old.unmount();
    young.unmount();
    vi.spyOn(Date, 'now').mockReturnValue(now);
    open({ id: uniqueId() });
    await waitFor(async () =>
      expect(await database.keys()).toEqual([expect.stringContaining(young.result.current.id)]),
    );
    expect(turns()).toEqual([expect.stringContaining(young.result.current.id)]);
  });

  it('are stored in sessionStorage while the database is full, even if it contains older ones', async () => {
    const id = uniqueId();
    // The state after a page was closed while it removed the turn.
    await database.setItem(
      `durable-proxy:turn:${world.client.proxyUrl}:content:${id}`,
      JSON.stringify({ token: 'old', at: Date.now() }),
    );
    fillDatabase();
    const page = open({ id });
    send(page, 'And now?');
    const next = (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
    await untilText(page, 'one ');
    await waitFor(() => expect(JSON.stringify({ ...sessionStorage })).toContain('And now?'));
    expect(JSON.stringify({ ...localStorage })).not.toContain('And now?');
    page.unmount();
    const after = open({ id });
    await untilText(after, 'one ');
    expect(after.result.current.messages.map(textOf)).toContain('And now?');
    next.send(...ANSWER.slice(4)).done();
    await untilStatus(after, 'ready');
  });

  it('do not displace the credentials if no storage has space: the answer is resumed after a reload', async () => {
    const id = uniqueId();
    fillDatabase();
    const setItem = Storage.prototype.setItem;
    vi.spyOn(Storage.prototype, 'setItem').mockImplementation(function (this: Storage, key, value) {
      if (this === sessionStorage || value.length > 4096) {
        throw new DOMException('Full', 'QuotaExceededError');
      }
      setItem.call(this, key, value);
    });
    const warnings: Error[] = [];
    const before = open({ id, onWarning: (warning: Error) => warnings.push(warning) });
    const exchange = await ask(before, IMAGE);
    await waitFor(() => expect(warnings.length).toBeGreaterThan(0));
    before.unmount();
    const after = open({ id });
    await untilText(after, 'one ');
    exchange.send(...ANSWER.slice(4)).done();
    await untilStatus(after, 'ready');
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});
