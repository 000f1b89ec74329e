import { expect, it } from 'vitest';
import { createRecordStore } from './request-records.ts';
import { MemoryStorage } from './storage.ts';
import { sweep } from './sweep.ts';
import { TurnStore } from './transports/turn-store.ts';

/**
 * What this version stores, literally. Tabs of two versions of a page share a storage, so a text must stay readable: if
 * one of these tests fails, store the new format under a new kind of key (docs/deployment.md, "Rolling deploys").
 */
const PROXY = 'https://proxy.test/v1/proxy';
const IN_AN_HOUR = Date.now() + 3_600_000;
const ANSWER_KEY = `p:scope:answer:${PROXY}:id`;
const ANSWER = {
  generation: 0,
  fingerprint: 'f1',
  idempotencyKey: 'k1',
  streamUrl: 'https://proxy.test/v1/proxy/s?signature=x',
  contentType: 'text/plain',
  offset: '5',
};
const TURN_KEY = `p:scope:turn:${PROXY}:turn:chat`;
const TURN = [{ requestId: 'r1', streamId: 's1', token: 't1' }, IN_AN_HOUR];
const CONTENT_KEY = `p:scope:turn:${PROXY}:content:chat`;
const MESSAGES = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'On drops' }] }];
const CONTENT = [{ messages: MESSAGES, token: 't1' }, IN_AN_HOUR];
/** Keys of a later version. */
const LATER = [`p:scope:answer2:${PROXY}:id`, `p:scope:turn2:${PROXY}:turn:chat`, `p:scope:chats:${PROXY}`];

const CALL = { fingerprint: 'f1', autoResume: true, key: undefined };
const unexpected = (warning: Error): never => {
  throw warning;
};
const recordsOf = (storage: MemoryStorage) =>
  createRecordStore({
    storage,
    prefix: `p:scope:answer:${PROXY}:`,
    memory: { refused: new Map(), pending: new Map() },
    warn: unexpected,
  });
const turnsOf = (storage: MemoryStorage) =>
  new TurnStore({ storage, prefix: `p:scope:turn:${PROXY}`, warn: unexpected });

/** Returns the form of a stored value: its fields, without what differs from call to call. */
function formOf(storage: MemoryStorage, key: string): unknown {
  return JSON.parse(storage.getItem(key)!, (_, value: unknown) =>
    typeof value === 'object' ? value : typeof value,
  );
}

it('reads the record of a request', async () => {
  const storage = new MemoryStorage();
  storage.setItem(ANSWER_KEY, JSON.stringify([ANSWER, IN_AN_HOUR]));
  const record = await recordsOf(storage).open('id', CALL);
  expect([record.found, record.data]).toEqual([true, ANSWER]);
});

it('keeps the fields of a record that a later version added', async () => {
  const storage = new MemoryStorage();
  storage.setItem(ANSWER_KEY, JSON.stringify([{ ...ANSWER, later: 1 }, IN_AN_HOUR]));
  const record = await recordsOf(storage).open('id', CALL);
  await record.save({ offset: '9' });
  const [stored] = JSON.parse(storage.getItem(ANSWER_KEY)!) as unknown[];
  expect(stored).toEqual({ ...ANSWER, later: 1, offset: '9' });
});

it('writes the record of a request in the form that it reads', async () => {
  const storage = new MemoryStorage();
  const record = await recordsOf(storage).open('id', CALL);
  const { streamUrl, contentType, offset } = ANSWER;
  await record.save({ streamUrl, contentType, offset });
  const expected = new MemoryStorage();
  expected.setItem(ANSWER_KEY, JSON.stringify([ANSWER, IN_AN_HOUR]));
  expect(formOf(storage, ANSWER_KEY)).toEqual(formOf(expected, ANSWER_KEY));
});

it('reads the turn of a chat with its messages', async () => {
  const storage = new MemoryStorage();
  storage.setItem(TURN_KEY, JSON.stringify(TURN));
  storage.setItem(CONTENT_KEY, JSON.stringify(CONTENT));
  expect(await turnsOf(storage).get('chat')).toEqual({ requestId: 'r1', streamId: 's1', messages: MESSAGES });
});

it('writes the turn of a chat in the form that it reads', async () => {
  const storage = new MemoryStorage();
  const turns = turnsOf(storage);
  await turns.set('chat', { requestId: 'r1', streamId: 's1', messages: MESSAGES });
  await turns.close();
  const expected = new MemoryStorage();
  expected.setItem(TURN_KEY, JSON.stringify(TURN));
  expected.setItem(CONTENT_KEY, JSON.stringify(CONTENT));
  for (const key of [TURN_KEY, CONTENT_KEY]) expect(formOf(storage, key)).toEqual(formOf(expected, key));
});

it('neither reads nor removes what a later version stores under kinds of its own', async () => {
  const storage = new MemoryStorage();
  for (const key of LATER) storage.setItem(key, 'of a later version');
  expect(await recordsOf(storage).find('id')).toEqual({ done: undefined });
  expect(await turnsOf(storage).get('chat')).toBeUndefined();
  await sweep([storage], { storagePrefix: 'p', onWarning: unexpected });
  expect([...storage.keys()].filter((key) => LATER.includes(key))).toEqual(LATER);
});
