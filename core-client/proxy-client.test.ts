import { expect, it, vi } from 'vitest';
import { STREAM_KEY, UNREAD_TIMEOUT } from '../protocol/headers.ts';
import { createProxyClient } from './proxy-client.ts';
import type { Settings } from './settings.ts';

it('sends a streamKey as UTF-8, even one of 200,000 characters, which the server may refuse', async () => {
  const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response());
  const send = async (streamKey: string) => {
    const settings = { proxyUrl: 'http://localhost/v1/proxy', streamKey } as Settings;
    const request = { url: 'http://localhost/x', method: 'POST', headers: new Headers(), body: null };
    await createProxyClient(settings, fetch).create(request as never, 'key', false);
    return new Headers(fetch.mock.lastCall?.[1]?.headers).get(STREAM_KEY) ?? '';
  };
  expect(await send('é')).toBe('Ã©');
  expect(await send('x'.repeat(200_000))).toHaveLength(200_000);
});

it.each<[number | undefined, string | null]>([
  [undefined, null],
  [300_000, '300'],
  [1, '1'],
  [1_500, '2'],
  [Infinity, 'infinite'],
])('sends an unreadTimeoutMs of %j as %j', async (unreadTimeoutMs, sent) => {
  const fetch = vi.fn<typeof globalThis.fetch>(async () => new Response());
  const settings = { proxyUrl: 'http://localhost/v1/proxy', unreadTimeoutMs } as Settings;
  const request = { url: 'http://localhost/x', method: 'POST', headers: new Headers(), body: null };
  await createProxyClient(settings, fetch).create(request as never, 'key', true);
  expect(new Headers(fetch.mock.lastCall?.[1]?.headers).get(UNREAD_TIMEOUT)).toBe(sent);
});
