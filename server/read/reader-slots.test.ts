import { expect, it } from 'vitest';
import { FakeResponse } from '../../tests/support/fake-response.ts';
import { ReaderSlots } from './reader-slots.ts';

const REFUSED = { code: 'TOO_MANY_READERS', status: 429, headers: { 'Retry-After': '2' } };

it('rejects reads over maxReadersPerStream until a response of that stream is closed', () => {
  const slots = new ReaderSlots({ maxReaders: 10, maxReadersPerStream: 2 });
  const [first, second] = [new FakeResponse(), new FakeResponse()];
  slots.take('a', first.response);
  slots.take('a', second.response);
  expect(slots.hasRoom('a')).toBe(false);
  expect(() => slots.take('a', new FakeResponse().response)).toThrow(expect.objectContaining(REFUSED));
  slots.take('b', new FakeResponse().response);
  first.close();
  slots.take('a', new FakeResponse().response);
  expect(slots.hasRoom('a')).toBe(false);
});

it('rejects reads over maxReaders for all streams', () => {
  const slots = new ReaderSlots({ maxReaders: 2, maxReadersPerStream: 2 });
  const first = new FakeResponse();
  slots.take('a', first.response);
  slots.take('b', new FakeResponse().response);
  expect(() => slots.take('c', new FakeResponse().response)).toThrow(expect.objectContaining(REFUSED));
  first.close();
  expect(slots.hasRoom('c')).toBe(true);
});

it('does not count a client that has already disconnected', () => {
  const slots = new ReaderSlots({ maxReaders: 1, maxReadersPerStream: 1 });
  const gone = new FakeResponse();
  gone.destroy();
  slots.take('a', gone.response);
  expect(slots.hasRoom('a')).toBe(true);
});
