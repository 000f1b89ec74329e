import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  IDEMPOTENCY_KEY,
  IDEMPOTENCY_REPLAYED,
  STREAM_KEY,
  UPSTREAM_STATUS,
} from '../../protocol/headers.ts';
import { createServiceToken } from '../../server/index.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, locationOf, post, readSse, withQuery } from '../support/wire.ts';

let proxy: TestProxy;
let upstream: Upstream | undefined;

beforeAll(async () => {
  proxy = await startProxy();
});
afterEach(async () => {
  await upstream?.close();
  upstream = undefined;
});
afterAll(() => proxy.stop({ drainMs: 0 }));

const idOf = (response: Response): string => new URL(locationOf(proxy, response)).pathname.split('/').at(-1)!;
const withKey = (key: string, more: Record<string, string> = {}) => ({
  headers: { [IDEMPOTENCY_KEY]: key, ...more },
});

async function serve(handler: (call: UpstreamCall) => void): Promise<string> {
  upstream = await startUpstream(handler);
  return `${upstream.url}/answer`;
}

describe('one key, one upstream call', () => {
  it('makes one call and one stream for 50 concurrent creates with one key', async () => {
    const url = await serve(({ res }) => res.end('paid once'));
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post(proxy, url, { body: '{"n":1}', ...withKey('fifty') })),
    );
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ headers }) => headers.get(IDEMPOTENCY_REPLAYED) === 'true')).toHaveLength(49);
    expect(upstream!.calls).toHaveLength(1);
  });

  it('returns the same stream with a fresh URL to a later create with the key', async () => {
    const url = await serve(({ res }) => res.end('still here'));
    const first = await post(proxy, url, { body: 'a', ...withKey('later') });
    const second = await post(proxy, url, { body: 'a', ...withKey('later') });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(idOf(second)).toBe(idOf(first));
    const { bytes } = await readSse(await fetch(withQuery(locationOf(proxy, second), { live: 'sse' })));
    expect(bytes.toString()).toBe('still here');
    expect(upstream!.calls).toHaveLength(1);
  });

  it('rejects another body with the same key, and keeps the first stream', async () => {
    const url = await serve(({ res }) => res.end('mine'));
    await post(proxy, url, { body: 'a', ...withKey('reused') });
    const other = await post(proxy, url, { body: 'b', ...withKey('reused') });
    expect(other.status).toBe(422);
    expect(await codeOf(other)).toBe('IDEMPOTENCY_KEY_REUSED');
    expect(upstream!.calls).toHaveLength(1);
  });

  it('rejects another body while the first create waits, and lets the same body wait with it', async () => {
    const url = await serve(() => undefined);
    const first = post(proxy, url, { body: 'a', ...withKey('waiting') });
    const call = await upstream!.call(0);
    const other = await post(proxy, url, { body: 'b', ...withKey('waiting') });
    expect(other.status).toBe(422);
    const second = post(proxy, url, { body: 'a', ...withKey('waiting') });
    call.res.end('now');
    expect(idOf(await second)).toBe(idOf(await first));
    expect(upstream!.calls).toHaveLength(1);
  });

  it('[IDEM-5] releases the key of a failed create, and returns its failure to the callers that waited', async () => {
    let answers = 0;
    const url = await serve(({ res }) => {
      answers += 1;
      if (answers === 1) res.writeHead(429, { 'retry-after': '7' }).end('slow down');
      else res.end('fine');
    });
    const failed = await post(proxy, url, { body: 'a', ...withKey('freed') });
    expect(failed.status).toBe(502);
    expect(failed.headers.get(UPSTREAM_STATUS)).toBe('429');
    expect(failed.headers.get('retry-after')).toBe('7');
    expect(await failed.text()).toBe('slow down');
    expect((await post(proxy, url, { body: 'a', ...withKey('freed') })).status).toBe(201);
  });

  it('keeps the upstream request of a disconnected caller only if it has a key', async () => {
    const url = await serve(() => undefined);
    const leaving = new AbortController();
    const left = post(proxy, url, { body: 'a', signal: leaving.signal, ...withKey('left') });
    const kept = await upstream!.call(0);
    leaving.abort();
    await expect(left).rejects.toThrow();
    const again = post(proxy, url, { body: 'a', ...withKey('left') });
    await write(kept.res, 'for ');
    kept.res.end('later');
    const { bytes } = await readSse(await fetch(withQuery(locationOf(proxy, await again), { live: 'sse' })));
    expect(bytes.toString()).toBe('for later');

    const nobody = new AbortController();
    const lost = post(proxy, url, { body: 'b', signal: nobody.signal });
    const dropped = await upstream!.call(1);
    nobody.abort();
    await expect(lost).rejects.toThrow();
    await dropped.closed;
  });

  it('creates two streams for two subjects with the same key', async () => {
    const url = await serve(({ res }) => res.end('yours'));
    const as = async (subject: string) => {
      const token = await createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds: 60 });
      return post(proxy, url, withKey('shared', { authorization: `Bearer ${token}` }));
    };
    expect(idOf(await as('ann'))).not.toBe(idOf(await as('ben')));
    expect(upstream!.calls).toHaveLength(2);
  });

  it('releases the key when the stream is deleted', async () => {
    const url = await serve(({ res }) => res.end('x'));
    const first = await post(proxy, url, withKey('deleted'));
    const authorization = `Bearer ${SECRET}`;
    await fetch(`${proxy.base}/${idOf(first)}`, { method: 'DELETE', headers: { authorization } });
    const second = await post(proxy, url, withKey('deleted'));
    expect(second.status).toBe(201);
    expect(idOf(second)).not.toBe(idOf(first));
  });
});

describe('find by Stream-Key', () => {
  const find = (key: string) =>
    fetch(withQuery(proxy.base, { key }), { headers: { authorization: `Bearer ${SECRET}` } });

  it('returns the newest stream, open or closed', async () => {
    const url = await serve(({ res, body }) => {
      if (body.toString() === 'open') void write(res, 'more');
      else res.end('over');
    });
    const first = await post(proxy, url, { body: 'done', headers: { [STREAM_KEY]: 'chat-1' } });
    const foundFirst = await find('chat-1');
    expect(idOf(foundFirst)).toBe(idOf(first));
    const second = await post(proxy, url, { body: 'open', headers: { [STREAM_KEY]: 'chat-1' } });
    const foundSecond = await find('chat-1');
    expect(foundSecond.status).toBe(200);
    expect(idOf(foundSecond)).toBe(idOf(second));
    expect(foundSecond.headers.get('stream-closed')).toBeNull();
    expect((await fetch(locationOf(proxy, foundSecond))).status).toBe(200);
  });

  it('waits for a create whose upstream has not responded', async () => {
    const url = await serve(() => undefined);
    const created = post(proxy, url, { headers: { [STREAM_KEY]: 'early' } });
    const call = await upstream!.call(0);
    const found = find('early');
    call.res.end('there');
    expect(idOf(await found)).toBe(idOf(await created));
  });

  it('ignores a failed create and returns the stream before it', async () => {
    const url = await serve(({ res, body }) => res.writeHead(body.toString() === 'bad' ? 500 : 200).end());
    expect((await find('unheard of')).status).toBe(204);
    await post(proxy, url, { body: 'bad', headers: { [STREAM_KEY]: 'flaky' } });
    expect((await find('flaky')).status).toBe(204);
    const good = await post(proxy, url, { body: 'good', headers: { [STREAM_KEY]: 'flaky' } });
    await post(proxy, url, { body: 'bad', headers: { [STREAM_KEY]: 'flaky' } });
    expect(idOf(await find('flaky'))).toBe(idOf(good));
  });

  it('accepts names in any script', async () => {
    const url = await serve(({ res }) => res.end());
    const name = 'お喋り 💬';
    const asBytes = Buffer.from(name).toString('latin1');
    const created = await post(proxy, url, { headers: { [STREAM_KEY]: asBytes } });
    expect(idOf(await find(name))).toBe(idOf(created));
  });
});
