import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createDurableFetch, type DurableResponse } from 'durable-proxy/client';
import { createServiceToken } from 'durable-proxy';
import { currentUser } from './react/session.ts';
import { GET } from './react/next-token-route.ts';
import { tokenFor } from './server/token.ts';
import { FORMAT_ANSWERS } from '../support/format-answers.ts';
import { startUpstream } from '../support/upstream.ts';
import { startFront, type Front } from './support/front.ts';
import { ANSWER, FIRST_HALF, startModel, type Behavior, type StandInModel } from './support/model.ts';
import { startSample, type SampleProcess } from './support/server-process.ts';

const JWT_SECRET = 'a-secret-of-the-samples-that-is-long-enough';

let front: Front;
let model: StandInModel;
let server: SampleProcess | undefined;
beforeAll(async () => {
  [front, model] = await Promise.all([startFront(), startModel()]);
});
afterAll(async () => {
  await front.close();
  await model.close();
});
afterEach(async () => {
  await server?.dispose();
  server = undefined;
  model.finish();
  model.reset();
});

/** Starts a sample, and routes the front to it: `/api` goes to the model, as the reader's chat route would. */
async function start(
  sample: string,
  { env = {}, replace = {} }: { env?: Record<string, string>; replace?: Record<string, string> } = {},
): Promise<void> {
  server = await startSample(sample, { JWT_SECRET, ...env }, { replace });
  front.route({ '/v1/proxy': `http://127.0.0.1:${server.port}`, '/': new URL(model.url).origin });
}

async function ask(path = '/api/chat', headers: Record<string, string> = {}): Promise<DurableResponse> {
  const durableFetch = createDurableFetch({
    proxyUrl: `${front.origin}/v1/proxy`,
    fetch: (input, init) => {
      const all = new Headers(init?.headers);
      for (const [name, value] of Object.entries(headers)) all.set(name, value);
      return fetch(input, { ...init, headers: all });
    },
  });
  return durableFetch(`${front.origin}${path}`, { body: '{}' });
}

async function credentials(sample: string): Promise<Record<string, string>> {
  if (sample === 'readme/server.ts') return { cookie: 'user=ada' };
  const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
  return { authorization: `Bearer ${token}` };
}

describe('[readme/server.ts]', () => {
  const asIs = () => ({ replace: { 'http://localhost:3000': front.origin } });

  it('forwards a request of a signed-in user to the allowed URL', async () => {
    await start('readme/server.ts', asIs());
    const response = await ask('/api/chat', { cookie: 'user=ada' });
    expect(await response.text()).toBe(ANSWER);
    const denied = await ask('/api/other', { cookie: 'user=ada' });
    expect(denied.status).toBe(403);
  });

  it('responds 401 to a visitor without a session', async () => {
    await start('readme/server.ts', asIs());
    const response = await ask();
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'INVALID_SECRET' } });
    expect(model.calls).toHaveLength(0);
  });

  it.each<Behavior>([401, 429, 500, 'breaks'])('survives a model that answers %s', async (behavior) => {
    await start('readme/server.ts', asIs());
    model.behavior = behavior;
    const response = await ask('/api/chat', { cookie: 'user=ada' });
    if (typeof behavior === 'number') expect(response.status).toBe(behavior);
    else await expect(response.text()).rejects.toMatchObject({ outcome: 'upstream-error' });
    model.behavior = 'ok';
    expect(await (await ask('/api/chat', { cookie: 'user=ada' })).text()).toBe(ANSWER);
  });
});

describe.each([
  ['readme/server.ts', (): Record<string, string> => ({ 'http://localhost:3000': front.origin })],
  ['server/shutdown.ts', (): Record<string, string> => ({ 'https://api.openai.com': front.origin })],
] as const)('shutdown of %s ([readme/server.ts], [server/shutdown.ts])', (sample, replace) => {
  const begin = async (env: Record<string, string>) => {
    await start(sample, { env, replace: replace() });
    model.behavior = 'slow';
    const headers = await credentials(sample);
    const response = await ask('/api/chat', headers);
    await model.call(0);
    return response;
  };

  it('exits at once in development, although an answer is in progress', async () => {
    const response = await begin({});
    const start = performance.now();
    expect(await server!.kill('SIGTERM')).toBe(0);
    expect(performance.now() - start).toBeLessThan(3000);
    await response.body!.cancel();
  });

  it('lets an answer end in production', async () => {
    const response = await begin({ NODE_ENV: 'production' });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe(FIRST_HALF);
    const exited = server!.kill('SIGTERM');
    model.finish();
    let rest = '';
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value;
    expect(FIRST_HALF + rest).toBe(ANSWER);
    expect(await exited).toBe(0);
  });

  it('exits at a second signal', async () => {
    const response = await begin({ NODE_ENV: 'production' });
    const start = performance.now();
    const first = server!.kill('SIGTERM');
    model.behavior = 'ok';
    // The proxy refuses new streams once it has received the first signal.
    const headers = { ...(await credentials(sample)), 'upstream-url': `${front.origin}/api/chat` };
    const init = { method: 'POST', headers: { ...headers, 'upstream-method': 'POST' }, body: '{}' };
    while ((await fetch(`${front.origin}/v1/proxy`, init)).status !== 503);
    await server!.kill('SIGTERM');
    await first;
    expect(performance.now() - start).toBeLessThan(5000);
    await response.body!.cancel();
  });
});

it('[server/mount.ts] forwards requests once the store is open', async () => {
  await start('server/mount.ts', { replace: { 'https://api.openai.com/**': `${front.origin}/**` } });
  const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
  const response = await ask('/v1/models', { authorization: `Bearer ${token}` });
  expect(await response.text()).toBe(ANSWER);
});

it('[server/standalone.ts] starts a server with the proxy, and stops on SIGTERM', async () => {
  await start('server/standalone.ts', { replace: { 'https://api.openai.com/**': `${front.origin}/**` } });
  const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
  const response = await ask('/v1/models', { authorization: `Bearer ${token}` });
  expect(await response.text()).toBe(ANSWER);
  expect(server!.output()).toContain(`The proxy is at http://localhost:${server!.port}/v1/proxy`);
  expect(await server!.kill('SIGTERM')).toBe(0);
});

it('[server/web-handler.ts] forwards requests, and exits once its responses are complete', async () => {
  await start('server/web-handler.ts', { replace: { 'https://api.openai.com/**': `${front.origin}/**` } });
  const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
  const response = await ask('/v1/models', { authorization: `Bearer ${token}` });
  expect(await response.text()).toBe(ANSWER);
  expect(await server!.kill('SIGTERM')).toBe(0);
});

describe('[server/body-parser.ts]', () => {
  const post = async (body: string) => {
    const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'upstream-url': `${front.origin}/api/chat`,
      'upstream-method': 'POST',
    };
    return fetch(`${front.origin}/v1/proxy`, { method: 'POST', headers, body });
  };
  const api = () => ({ 'https://api.openai.com/**': `${front.origin}/**` });

  it('forwards the exact bytes, also of a body that is larger than 100 kB', async () => {
    await start('server/body-parser.ts', { replace: api() });
    for (const body of ['{ "id": 9007199254740993 }', JSON.stringify({ text: 'x'.repeat(200_000) })]) {
      model.reset();
      expect((await post(body)).status).toBe(201);
      expect((await model.call(0)).text).toBe(body);
    }
  });

  it('is needed: without it the proxy responds 400 and says how to mount', async () => {
    await start('server/body-parser.ts', { replace: { ...api(), rawBody: 'otherName' } });
    const response = await post('{ "id": 9007199254740993 }');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: 'INVALID_REQUEST', message: expect.stringContaining('before express.json()') as string },
    });
    expect(model.calls).toHaveLength(0);
  });
});

it('[server/rate-limit.ts] refuses creates over the rate with a code that the client knows, and no reads', async () => {
  await start('server/rate-limit.ts', {
    replace: { 'https://api.openai.com/**': `${front.origin}/**`, 'limit: 30': 'limit: 2' },
  });
  const headers = await credentials('server/rate-limit.ts');
  for (let i = 0; i < 2; i += 1) expect(await (await ask('/api/chat', headers)).text()).toBe(ANSWER);
  const upstream = { 'upstream-url': `${front.origin}/api/chat`, 'upstream-method': 'POST' };
  const refused = await fetch(`${front.origin}/v1/proxy`, {
    method: 'POST',
    headers: { ...headers, ...upstream },
    body: '{}',
  });
  expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true]);
  expect(await refused.json()).toMatchObject({ error: { code: 'TOO_MANY_STREAMS' } });
  const found = await fetch(`${front.origin}/v1/proxy?key=none`, { headers });
  expect(found.status).toBe(204);
  expect(model.calls).toHaveLength(2);
});

it('[server/ledger.ts] adds up what each user consumed, also by an answer that was cut off', async () => {
  const [chat] = FORMAT_ANSWERS;
  const upstream = await startUpstream(({ req, res }) => {
    res.writeHead(200, chat!.headers).end(chat!.events.slice(0, req.url === '/cut' ? 1 : undefined).join(''));
  });
  await start('server/ledger.ts', { replace: { 'https://api.openai.com/**': `${front.origin}/**` } });
  front.route({ '/v1/proxy': `http://127.0.0.1:${server!.port}`, '/': upstream.url });
  for (const subject of ['ada', 'bob', 'ada']) {
    const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject, expiresInSeconds: 60 });
    const response = await ask('/chat', { authorization: `Bearer ${token}` });
    await response.text();
    expect(await response.usage).toEqual(chat!.usage);
  }
  const cut = await ask('/cut', await credentials('server/ledger.ts'));
  await expect(cut.text()).rejects.toMatchObject({ outcome: 'truncated' });
  process.kill(server!.pid, 'SIGUSR2');
  await expect
    .poll(server!.output)
    .toContain("'ada/gpt-test': { answers: 3, inputTokens: 32, outputTokens: 60 }");
  expect(server!.output()).toContain("'bob/gpt-test': { answers: 1, inputTokens: 16, outputTokens: 30 }");
  await upstream.close();
});

it('[server/unread.ts] cancels an answer that no client reads', async () => {
  const upstream = await startUpstream(({ res }) => void res.write('begin'));
  const replace = { 'https://api.openai.com/**': `${front.origin}/**`, '300_000': '500' };
  await start('server/unread.ts', { replace });
  front.route({ '/v1/proxy': `http://127.0.0.1:${server!.port}`, '/': upstream.url });
  const response = await ask('/chat', await credentials('server/unread.ts'));
  const { closed } = await upstream.call(0);
  await response.body!.cancel();
  await closed;
  await upstream.close();
});

describe('[server/provider-key.ts]', () => {
  const host = () => ({
    'https://api.openai.com/**': `${front.origin}/**`,
    'api.openai.com': new URL(front.origin).host,
  });

  it('adds the provider’s key on the server', async () => {
    await start('server/provider-key.ts', { env: { OPENAI_API_KEY: 'sk-stand-in' }, replace: host() });
    const token = await createServiceToken({ jwtSecret: JWT_SECRET, subject: 'ada', expiresInSeconds: 60 });
    expect(await (await ask('/x', { authorization: `Bearer ${token}` })).text()).toBe(ANSWER);
    expect(model.calls[0]!.authorization).toBe('Bearer sk-stand-in');
  });

  it('does not start without a key', async () => {
    await expect(start('server/provider-key.ts')).rejects.toThrow('Set JWT_SECRET and OPENAI_API_KEY');
  });
});

describe('[server/token.ts] and [react/next-token-route.ts]', () => {
  it('create tokens that the proxy accepts, for the allowed URL only', async () => {
    await start('server/mount.ts', {
      replace: { "['https://api.openai.com/**']": `['http://localhost:*/**', 'https://*.example.com/**']` },
    });
    process.env['JWT_SECRET'] = JWT_SECRET;
    const route = await GET(
      new Request('http://app.test/api/proxy-token', { headers: { cookie: 'user=ada' } }),
    );
    for (const token of [await tokenFor({ id: 'ada' }, JWT_SECRET), await route.text()]) {
      const response = await ask('/api/chat', { authorization: `Bearer ${token}` });
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: 'UPSTREAM_NOT_ALLOWED' } });
    }
  });

  it('responds 401 to a visitor without a session', async () => {
    const request = new Request('http://app.test/api/proxy-token');
    expect(await currentUser(request)).toBeNull();
    expect((await GET(request)).status).toBe(401);
  });
});

describe('[react/migration-route.ts]', () => {
  const post = async (request = chatRequest()) => {
    process.env['OPENAI_BASE_URL'] = model.url;
    process.env['OPENAI_API_KEY'] = 'sk-stand-in';
    // The provider reads its base URL when it is imported.
    const { POST } = await import('./react/migration-route.ts');
    return POST(request);
  };
  const chatRequest = (init: RequestInit = {}) => {
    const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'On drops' }] }];
    const body = JSON.stringify({ messages });
    return new Request('http://app.test/api/chat', { method: 'POST', body, ...init });
  };

  it('streams the answer', async () => {
    const text = await (await post()).text();
    expect(text).toContain(`"delta":"${FIRST_HALF}"`);
    expect(text).toContain('"type":"finish"');
  });

  it.each<Behavior>([401, 429, 500])('reports an error when the model answers %s', async (behavior) => {
    model.behavior = behavior;
    expect(await (await post()).text()).toContain(
      '"errorText":"The model could not answer. Try again later."',
    );
  });

  it('ends the model’s request when its own request is aborted', async () => {
    model.behavior = 'slow';
    const caller = new AbortController();
    const request = chatRequest({ signal: caller.signal });
    const response = await post(request);
    const call = await model.call(0);
    caller.abort();
    expect(await call.closed).toBe(false);
    // Node does not abort the signal of a `Request` that was garbage-collected. This line keeps the request.
    expect(request.signal.aborted).toBe(true);
    await response.text().catch(() => undefined);
  });
});
