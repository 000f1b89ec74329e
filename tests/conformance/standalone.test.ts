import { afterAll, beforeAll, expect, it } from 'vitest';
import { startProxy, type TestProxy } from '../support/proxy.ts';

let proxy: TestProxy;
beforeAll(async () => {
  proxy = await startProxy();
});
afterAll(() => proxy.stop({ drainMs: 0 }));

it('[LIFE-1] the standalone server says that it lives, to whoever asks', async () => {
  const response = await fetch(`${proxy.url}/health`);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

it('[ERR-3] what is beside the mount is a 404 of the same form', async () => {
  for (const path of ['/', '/v1', '/v1/proxies', '/healthy']) {
    const response = await fetch(proxy.url + path);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
  }
});
