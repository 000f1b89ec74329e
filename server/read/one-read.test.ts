import { afterEach, expect, it, vi } from 'vitest';
import { FakeResponse } from '../../tests/support/fake-response.ts';
import { FakeStream } from '../../tests/support/fake-stream.ts';
import { catchUp } from './catch-up.ts';
import { longPoll } from './long-poll.ts';
import { ReadBudget } from './read-budget.ts';

const responses: FakeResponse[] = [];
afterEach(() => {
  for (const { faults } of responses.splice(0)) expect(faults).toEqual([]);
});

function begin() {
  const res = new FakeResponse();
  responses.push(res);
  const exchange = { req: res.req, res: res.response, streamId: 'id' };
  return { res, exchange, stream: new FakeStream() };
}

const budget = new ReadBudget({ maxReadBufferBytes: 10_000, maxReadBytes: 1_000 });
const POLL = { timeoutMs: 60_000, budget, cursor: undefined };
const FRAME = { bytes: Buffer.from('late'), next: '4', upToDate: true };

it('writes nothing on a catch-up read if the client disconnects during the read of the store', async () => {
  const { res, exchange, stream } = begin();
  const reading = catchUp({ exchange, store: stream.store, info: stream.info, offset: '0', budget });
  res.close();
  stream.reads[0]?.(FRAME);
  await reading;
  expect(res.headersSent).toBe(false);
});

it('writes and reads nothing on a long-poll if the client disconnects while it waits', async () => {
  const { res, exchange, stream } = begin();
  const reading = longPoll({ exchange, store: stream.store, offset: '0', ...POLL });
  await vi.waitFor(() => expect(res.listenerCount('close')).toBe(1));
  res.close();
  await reading;
  expect(stream.reads).toHaveLength(0);
  expect(res.headersSent).toBe(false);
  expect(stream.stopped).toBe(true);
});

it('does not wait on a long-poll if the client disconnects while the stream is opened', async () => {
  const { res, exchange, stream } = begin();
  const letGo = stream.holdFollow();
  const reading = longPoll({ exchange, store: stream.store, offset: '0', ...POLL });
  res.close();
  letGo();
  await reading;
  expect(res.headersSent).toBe(false);
  expect(stream.stopped).toBe(true);
});

it('writes nothing on a long-poll if the client disconnects while the rest is read', async () => {
  const { res, exchange, stream } = begin();
  const reading = longPoll({ exchange, store: stream.store, offset: '0', ...POLL });
  await vi.waitFor(() => expect(res.listenerCount('close')).toBe(1));
  stream.add('first');
  stream.add('second');
  await vi.waitFor(() => expect(stream.reads).toHaveLength(1));
  res.close();
  stream.reads[0]?.(FRAME);
  await reading;
  expect(res.headersSent).toBe(false);
});
