import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { ProxyAgent } from 'undici';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { startProxyProcess } from '../support/process.ts';
import { startProxy, temporaryFolder } from '../support/proxy.ts';
import { startTlsServer } from '../support/tls.ts';
import { startUpstream } from '../support/upstream.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('behind a forward proxy', () => {
  it('the command reaches upstreams and webhooks over TLS through HTTPS_PROXY', async () => {
    const provider = await startTlsServer();
    const forward = await startForwardProxy({ route: () => ({ port: provider.port }) });
    const folder = await temporaryFolder();
    cleanups.push(
      () => provider.close(),
      () => forward.close(),
      () => folder.remove(),
    );
    const proxy = await startProxyProcess({
      dataDir: folder.path,
      args: [...['--allow', 'https://api.example.test/**', '--webhook-url', 'https://hooks.example.test/']],
      env: {
        HTTPS_PROXY: forward.url.replace('://', '://ada:secret-of-ada@'),
        NODE_EXTRA_CA_CERTS: provider.cert,
        WEBHOOK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
      },
    });
    cleanups.push(() => proxy.kill('SIGKILL'));

    const created = await post(proxy, 'https://api.example.test/v1/chat');
    expect(created.status).toBe(201);
    const read = await readSse(
      await fetch(withQuery(locationOf(proxy, created), { live: 'sse', offset: '-1' })),
    );
    expect(read.bytes.toString()).toBe('hello from api.example.test');
    await expect
      .poll(() => provider.requests)
      .toEqual(['POST api.example.test/v1/chat', 'POST hooks.example.test/']);
    expect(forward.connects).toEqual(['api.example.test:443', 'hooks.example.test:443']);
    const [connect] = forward.requests;
    expect(connect?.headers['proxy-authorization']).toBe(`Basic ${btoa('ada:secret-of-ada')}`);
  });

  it('the option dispatcher sends the requests of the proxy', async () => {
    const model = await startUpstream(({ res }) => res.end('hello'));
    const forward = await startForwardProxy({ route: () => ({ port: Number(new URL(model.url).port) }) });
    const dispatcher = new ProxyAgent(forward.url);
    const proxy = await startProxy({ dispatcher, allowlist: ['http://model.example.test/**'] });
    cleanups.push(
      () => model.close(),
      () => forward.close(),
      () => dispatcher.close(),
      () => proxy.stop({ drainMs: 0 }),
    );
    const created = await post(proxy, 'http://model.example.test/v1');
    expect(created.status).toBe(201);
    expect(model.calls[0]?.req.headers.host).toBe('model.example.test');
    expect(forward.connects).toEqual(['model.example.test:80']);
  });
});
