import { describe, expect, it } from 'vitest';
import { durableStreamsStore } from '../../../server/store/durable-streams/index.ts';
import {
  COMPLETE,
  init,
  newId,
  pause,
  readAll,
  storeError,
  streamOf,
} from '../../../server/testing/byte-store/support.ts';
import { useTroubled } from './troubled.ts';

describe('requests to the backend', () => {
  const t = useTroubled();

  it('stay below the base path and contain the configured headers, which no error contains', async () => {
    const store = await t.open({
      headers: { Authorization: 'Bearer very-secret', 'X-Tenant': 'acme' },
      retryTimeoutMs: 100,
    });
    const id = await streamOf(store, 'body');
    await readAll(store, id);
    await store.close(id, COMPLETE);
    await store.head(id);
    await store.delete(id);
    expect(t.relay.requests.length).toBeGreaterThan(8);
    for (const { url, headers } of t.relay.requests) {
      expect(url).toMatch(/^\/base\/[\w-]+(\.meta)?(\?[\w=&-]+)?$/);
      expect(headers).toMatchObject({ authorization: 'Bearer very-secret', 'x-tenant': 'acme' });
    }
    for (const status of [401, 403, 500]) {
      t.relay.trouble = () => ({ kind: 'answer', status });
      const error: unknown = await store.append(newId(), Buffer.from('x')).catch((thrown: unknown) => thrown);
      expect(error).toEqual(storeError('UNAVAILABLE'));
      expect(String(error) + JSON.stringify(error)).not.toContain('very-secret');
    }
  });

  it.each(['', '.', '..', '../x', '..%2Fx', 'a/b', 'a.meta', 'a?b', 'a#b', 'ä', 'x'.repeat(129)])(
    'never is the id %j',
    async (id) => {
      const store = await t.open();
      const before = t.relay.requests.length;
      expect(await store.head(id)).toBeUndefined();
      expect(await store.delete(id)).toBe(false);
      await expect(store.create(id, init())).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(store.append(id, Buffer.from('x'))).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(store.close(id, COMPLETE)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(store.read(id, '-1', 1)).rejects.toEqual(storeError('NOT_FOUND'));
      await expect(store.follow(id, '-1', () => {})).rejects.toEqual(storeError('NOT_FOUND'));
      expect(t.relay.requests.length).toBe(before);
    },
  );

  it('are sent on opening, so that a wrong credential is detected early', async () => {
    t.relay.trouble = () => ({ kind: 'answer', status: 401 });
    await expect(t.open()).rejects.toThrow(/401.*durableStreamsHeaders/);
    t.relay.trouble = () => ({ kind: 'answer', status: 503 });
    await expect(t.open({ retryTimeoutMs: 100 })).rejects.toEqual(storeError('UNAVAILABLE'));
  });

  it('keep the metadata of a stream that is only written to', async () => {
    const store = await t.open();
    const id = newId();
    await store.create(id, init({ ttlSeconds: 1 }));
    // Longer than the backend keeps the metadata without a request.
    for (const begun = performance.now(); performance.now() - begun < 4_500;) {
      await store.append(id, Buffer.from('x'));
      await pause(200);
    }
    expect(await store.head(id)).toMatchObject({ ttlSeconds: 1 });
  });
});

describe('a backend that restarts', () => {
  const t = useTroubled({ mode: 'file' });

  it('keeps bytes, metadata and outcomes, and continues with its writers', async () => {
    const store = await t.open({ retryTimeoutMs: 10_000 });
    const closed = await streamOf(store, 'whole');
    await store.close(closed, COMPLETE, Buffer.from('!'));
    const open = await streamOf(store, 'begun, ');
    const restarted = t.server.restart();
    const appended = store.append(open, Buffer.from('gone on'));
    await Promise.all([restarted, appended]);
    expect(await store.head(closed)).toMatchObject({ ...init(), end: COMPLETE });
    expect((await readAll(store, closed)).bytes.toString()).toBe('whole!');
    expect((await readAll(store, open)).bytes.toString()).toBe('begun, gone on');
    expect(await store.close(open, COMPLETE)).toEqual(COMPLETE);
  });
});

describe('options', () => {
  it.each([
    ['not a url', /base URL such as/],
    ['ftp://x', /neither http nor https/],
    ['http://user:hunter2@x', /durableStreamsHeaders/],
    ['http://x/?token=1', /query/],
  ])('reject the URL %s with an example', (url, message) => {
    expect(() => durableStreamsStore({ url })).toThrow(message);
    expect(() => durableStreamsStore({ url })).not.toThrow(/hunter2/);
  });

  it('reject invalid headers without showing their values', () => {
    const make = () => durableStreamsStore({ url: 'http://x', headers: { authorization: 'se\ncret' } });
    expect(make).toThrow(/"authorization"/);
    expect(make).not.toThrow(/cret/);
  });

  it('reject invalid times', () => {
    expect(() => durableStreamsStore({ url: 'http://x', retryTimeoutMs: 0 })).toThrow(/retryTimeoutMs/);
  });
});
