import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PREFER, STREAM_KEY } from '../../protocol/headers.ts';
import { createServiceToken } from '../../server/tokens.ts';
import { followName, type FollowInit } from '../support/followed.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream, type UpstreamCall } from '../support/upstream.ts';
import { codeOf, post, readSse, withQuery } from '../support/wire.ts';

let proxy: TestProxy;
let upstream: Upstream;
beforeAll(async () => {
  // The path decides what the upstream does.
  upstream = await startUpstream(({ req, res }) => {
    if (req.url === '/never') return;
    if (req.url === '/refused') res.writeHead(400, { 'content-type': 'text/plain' });
    else res.writeHead(200, { 'content-type': 'text/event-stream' });
    if (req.url === '/open') void write(res, 'begin');
    else res.end('all');
  });
  proxy = await startProxy({ keepAliveMs: 100, maxReadersPerStream: 2 });
});
afterAll(async () => {
  await proxy.stop({ drainMs: 0 });
  await upstream.close();
});

const authorization = { authorization: `Bearer ${SECRET}` };
const ASYNC = { [PREFER]: 'respond-async' };
const idOf = (response: Response): string => /[0-9a-f-]{36}/.exec(response.headers.get('location')!)![0];
const tokenOf = (subject: string, expiresInSeconds = 60): Promise<string> =>
  createServiceToken({ jwtSecret: SECRET, subject, expiresInSeconds });

/** Creates a stream under a name. @returns its id, and the upstream's call. */
async function create(name: string, path = '/open', headers: Record<string, string> = {}) {
  const index = upstream.calls.length;
  const response = await post(proxy, upstream.url + path, { headers: { [STREAM_KEY]: name, ...headers } });
  const call: UpstreamCall = await upstream.call(index);
  return { streamId: idOf(response), call };
}

async function follow(name: string, init?: FollowInit, base = proxy.base) {
  const followed = await followName(base, name, init);
  onTestFinished(() => followed.close());
  return followed;
}

const open = (streamId: string) => ({ streamId, state: 'open', upstreamContentType: 'text/event-stream' });
const closed = (streamId: string, outcome = 'complete') => ({ streamId, state: 'closed', outcome });

describe('following a name', () => {
  it('[FOLLOW-1] sends headers at once and waits if no stream has the name', async () => {
    const name = randomUUID();
    const followed = await follow(name);
    expect(followed.response.status).toBe(200);
    expect(Object.fromEntries(followed.response.headers)).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': expect.stringContaining('no-store') as string,
      'x-accel-buffering': 'no',
    });
    const { streamId } = await create(name);
    expect(await followed.next()).toMatchObject(open(streamId));
  });

  it('[FOLLOW-2] sends the newest stream and each later one, with a signed URL', async () => {
    const name = randomUUID();
    await create(name, '/short');
    const first = await create(name);
    const followed = await follow(name);
    const event = await followed.next();
    expect(event).toMatchObject(open(first.streamId));
    const read = await readSse(
      await fetch(withQuery(new URL(event!.location, proxy.url).href, { live: 'sse' })),
      ({ bytes }) => bytes.length === 5,
    );
    expect(read.bytes.toString()).toBe('begin');
    const second = await create(name);
    expect(await followed.next()).toMatchObject(open(second.streamId));
    const third = await create(name, '/never', ASYNC);
    const pending = await followed.next();
    expect(pending).toMatchObject({ streamId: third.streamId, state: 'pending' });
    expect(pending).not.toHaveProperty('upstreamContentType');
    expect(pending).not.toHaveProperty('outcome');
  });

  it('[FOLLOW-3] sends the end of each stream that it has sent, also after a newer one began', async () => {
    const name = randomUUID();
    const first = await create(name);
    const followed = await follow(name);
    expect(await followed.next()).toMatchObject(open(first.streamId));
    const second = await create(name);
    expect(await followed.next()).toMatchObject(open(second.streamId));
    first.call.res.end();
    expect(await followed.next()).toMatchObject(closed(first.streamId));
    await fetch(withQuery(proxy.base, { action: 'abort' }), {
      method: 'PATCH',
      headers: { ...authorization, [STREAM_KEY]: name },
    });
    expect(await followed.next()).toMatchObject(closed(second.streamId, 'aborted'));
  });

  it('[FOLLOW-4] continues after Last-Event-ID: nothing is missed or repeated', async () => {
    const name = randomUUID();
    const first = await create(name);
    const before = await follow(name);
    await before.next();
    await before.close();
    first.call.res.end();
    const second = await create(name);
    const after = await follow(name, { lastId: before.lastId });
    const events = [await after.next(), await after.next()];
    expect(events).toMatchObject([closed(first.streamId), open(second.streamId)]);
    await after.close();
    const again = await follow(name, { lastId: after.lastId });
    second.call.res.end();
    expect(await again.next()).toMatchObject(closed(second.streamId));
    await again.close();
    const last = await follow(name, { lastId: again.lastId });
    const third = await create(name);
    expect(await last.next()).toMatchObject(open(third.streamId));
  });

  it('[FOLLOW-5] sends the newest stream again after a malformed Last-Event-ID', async () => {
    const name = randomUUID();
    const { streamId } = await create(name);
    for (const lastId of ['?', streamId.toUpperCase(), Array(9).fill(`${streamId}!`).join('.')]) {
      const followed = await follow(name, { lastId });
      expect(await followed.next()).toMatchObject(open(streamId));
      await followed.close();
    }
  });

  it('[FOLLOW-6] accepts service credentials only, and keeps subjects apart', async () => {
    const name = randomUUID();
    const url = withQuery(proxy.base, { key: name, live: 'sse' });
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    const [ada, bob] = await Promise.all([tokenOf('ada'), tokenOf('bob')]);
    const byAda = { authorization: `Bearer ${ada}` };
    const theirs = await create(name, '/open', byAda);
    expect(await (await follow(name, { token: ada })).next()).toMatchObject(open(theirs.streamId));
    // Bob neither sees the stream, nor gets its end by naming it.
    const followed = await follow(name, { token: bob, lastId: theirs.streamId });
    theirs.call.res.end();
    const own = await create(name, '/open', { authorization: `Bearer ${bob}` });
    expect(await followed.next()).toMatchObject(open(own.streamId));
  });

  it('[FOLLOW-7] ends the response when the token expires', async () => {
    const followed = await follow(randomUUID(), { token: await tokenOf('ada', 1) });
    expect(await followed.next()).toBeUndefined();
  });

  it('[FOLLOW-8] sends comments while nothing happens', async () => {
    const name = randomUUID();
    const followed = await follow(name);
    const reading = followed.next();
    await expect.poll(() => followed.comments).toBeGreaterThan(2);
    const { streamId } = await create(name);
    expect(await reading).toMatchObject(open(streamId));
  });

  it('[FOLLOW-9] responds 429 over the limits on reads', async () => {
    const name = randomUUID();
    const followers = [await follow(name), await follow(name)];
    const refused = await follow(name);
    expect(refused.response.status).toBe(429);
    expect(refused.response.headers.has('retry-after')).toBe(true);
    for (const followed of followers) expect(followed.response.status).toBe(200);
  });

  it('[FOLLOW-10] ends all responses at shutdown, before running streams end, and refuses new ones', async () => {
    const other = await startProxy();
    const name = randomUUID();
    await post(other, `${upstream.url}/open`, { headers: { [STREAM_KEY]: name } });
    const followed = await follow(name, {}, other.base);
    expect(await followed.next()).toMatchObject({ state: 'open' });
    const ending = followed.next();
    const stopped = other.stop({ drainMs: 1_000 });
    expect(await ending).toBeUndefined();
    const refused = await fetch(withQuery(other.base, { key: name, live: 'sse' }), {
      headers: authorization,
    });
    expect([refused.status, await codeOf(refused)]).toEqual([503, 'SHUTTING_DOWN']);
    await stopped;
  });

  it('[FOLLOW-11] responds 404 without a name, and 400 to another mode or a name of more than 512 bytes', async () => {
    const ask = async (query: Record<string, string>) => {
      const response = await fetch(withQuery(proxy.base, query), { headers: authorization });
      return [response.status, await codeOf(response)];
    };
    expect(await ask({ live: 'sse' })).toEqual([404, 'NOT_FOUND']);
    expect(await ask({ live: 'sse', key: '' })).toEqual([404, 'NOT_FOUND']);
    for (const live of ['', 'long-poll', 'SSE']) {
      expect(await ask({ live, key: 'chat' })).toEqual([400, 'INVALID_REQUEST']);
    }
    expect(await ask({ live: 'sse', key: 'ü'.repeat(257) })).toEqual([400, 'INVALID_REQUEST']);
  });

  it('[FOLLOW-12] sends nothing about a stream that was deleted, also while it is followed', async () => {
    const name = randomUUID();
    const { streamId } = await create(name);
    const followed = await follow(name);
    await followed.next();
    await fetch(`${proxy.base}/${streamId}`, { method: 'DELETE', headers: authorization });
    const late = await follow(name);
    const next = await create(name);
    // A delete closes an open stream first, so its end may be sent.
    let event = await followed.next();
    if (event?.streamId === streamId) event = await followed.next();
    expect(event).toMatchObject(open(next.streamId));
    expect(await late.next()).toMatchObject(open(next.streamId));
  });

  it('sends the end of a pending stream that the upstream refused, and not the older stream again', async () => {
    const name = randomUUID();
    const older = await create(name, '/short');
    const followed = await follow(name);
    let event = await followed.next();
    if (event?.state !== 'closed') event = await followed.next();
    expect(event).toMatchObject(closed(older.streamId));
    const refused = await create(name, '/refused', ASYNC);
    event = await followed.next();
    if (event?.state !== 'closed') event = await followed.next();
    expect(event).toMatchObject(closed(refused.streamId, 'refused'));
    const next = await create(name);
    expect(await followed.next()).toMatchObject(open(next.streamId));
  });
});
