import { afterEach, expect, it } from 'vitest';
import { createDurableFetch, MemoryStorage, type DurableFetchOptions } from '../../core-client/index.ts';
import { useWorld } from '../react/support/world.ts';

const world = useWorld();
afterEach(() => world.relay.up());

const openClient = (options: Partial<DurableFetchOptions> = {}) =>
  createDurableFetch({ ...world.client, storage: new MemoryStorage(), retryTimeoutMs: 300, ...options });
const ask = (requestId: string, prompt: string) => ({
  method: 'POST',
  body: JSON.stringify({ prompt }),
  requestId,
});

it('does not return the previous answer for a request that did not reach the proxy', async () => {
  const requestId = crypto.randomUUID();
  const client = openClient();
  const first = client(world.upstream.url, ask(requestId, 'first'));
  (await world.upstream.next()).begin('text/plain').end('first answer');
  expect(await (await first).text()).toBe('first answer');
  world.relay.down();
  await expect(client(world.upstream.url, ask(requestId, 'second'))).rejects.toThrow();
  world.relay.up();
  expect(await client.resume(requestId)).toBeNull();
});

it('does not return the closed answer of another device for a request that did not reach the proxy', async () => {
  const requestId = crypto.randomUUID();
  const client = openClient();
  world.relay.down();
  await expect(client(world.upstream.url, ask(requestId, 'mine'))).rejects.toThrow();
  world.relay.up();
  const other = openClient()(world.upstream.url, ask(requestId, 'theirs'));
  (await world.upstream.next()).begin('text/plain').end('their answer');
  await (await other).text();
  expect(await client.resume(requestId)).toBeNull();
});

it('resumes the answer of a request whose response was lost', async () => {
  const requestId = crypto.randomUUID();
  const storage = new MemoryStorage();
  const client = openClient({ storage });
  const leaving = new AbortController();
  const lost = client(world.upstream.url, { ...ask(requestId, 'lost'), signal: leaving.signal });
  const exchange = await world.upstream.next();
  leaving.abort();
  await expect(lost).rejects.toThrow();
  exchange.begin('text/plain').end('found');
  const response = await openClient({ storage }).resume(requestId);
  expect(await response?.text()).toBe('found');
});

it('keeps what is stored of an answer if the proxy refuses the token of a resume', async () => {
  const requestId = crypto.randomUUID();
  let secret = world.client.proxyAuthorization;
  let isExpired = false;
  const client = openClient({
    scope: 'ann',
    proxyAuthorization: () => secret,
    fetch: (input, init) =>
      fetch(isExpired ? (input as string).replace(/signature=[^&]+/, 'signature=AAAA') : input, init),
  });
  const leaving = new AbortController();
  const asked = client(world.upstream.url, { ...ask(requestId, 'question'), signal: leaving.signal });
  const exchange = (await world.upstream.next()).begin('text/plain').raw('par');
  await asked;
  leaving.abort();
  exchange.end('tial');
  isExpired = true;
  secret = 'not-the-secret-of-the-proxy-but-as-long';
  await expect(client.resume(requestId)).rejects.toMatchObject({ status: 401 });
  secret = world.client.proxyAuthorization;
  const response = await Promise.race([
    client(world.upstream.url, ask(requestId, 'question')),
    world.upstream.next().then(() => 'a second request'),
  ]);
  expect(await (response as Response).text()).toBe('partial');
});
