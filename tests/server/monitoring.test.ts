import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createServiceToken } from '../../server/index.ts';
import { ProxyMetrics } from '../../server/telemetry/metrics.ts';
import { commandPath, needs } from '../requirements.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';
import { embeddedStore } from '../../server/store/embedded/index.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { StoreError } from '../../server/store/types.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

const MONITORING = join(import.meta.dirname, '../../examples/monitoring');
const authorization = `Bearer ${SECRET}`;

let proxy: TestProxy;
let upstream: Upstream;
beforeEach(async () => {
  upstream = await startUpstream(({ res }) => void write(res, 'hel'));
});
afterEach(async () => {
  await proxy?.stop({ drainMs: 0 });
  await upstream.close();
});

async function metricsOf({ url }: TestProxy): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization } });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const samples = [...(await response.text()).matchAll(/^([^#\s]\S*) (\S+)$/gm)];
  return new Map(samples.map(([, name, value]) => [name!, Number(value)]));
}

const sample = async (name: string) => (await metricsOf(proxy)).get(name);

describe('GET /metrics', () => {
  it('counts streams, readers, first bytes, appends and refusals', async () => {
    proxy = await startProxy({ metrics: true });
    const created = await post(proxy, upstream.url);
    const read = readSse(await fetch(withQuery(locationOf(proxy, created), { live: 'sse', offset: '-1' })));
    await expect.poll(() => sample('durable_proxy_first_byte_duration_seconds_count')).toBe(1);
    const during = await metricsOf(proxy);
    expect(during.get('durable_proxy_streams_active')).toBe(1);
    expect(during.get('durable_proxy_readers_active')).toBe(1);
    upstream.calls[0]!.res.end('lo');
    await read;
    await fetch(proxy.base, { method: 'POST' });

    await expect.poll(() => sample('durable_proxy_streams_closed_total{outcome="complete"}')).toBe(1);
    await expect.poll(() => sample('durable_proxy_readers_active')).toBe(0);
    const after = await metricsOf(proxy);
    expect(after.get('durable_proxy_streams_active')).toBe(0);
    expect(after.get('durable_proxy_refused_total{code="MISSING_SECRET"}')).toBe(1);
    expect(after.get('durable_proxy_append_duration_seconds_count')).toBeGreaterThanOrEqual(1);
    expect(after.get('durable_proxy_append_duration_seconds_bucket{le="+Inf"}')).toBe(
      after.get('durable_proxy_append_duration_seconds_count'),
    );
  });

  it('requires the service secret, and exists only if it was asked for', async () => {
    proxy = await startProxy({ metrics: true });
    const token = await createServiceToken({ jwtSecret: SECRET, subject: 'ada', expiresInSeconds: 60 });
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: `Bearer ${token}` }]) {
      expect((await fetch(`${proxy.url}/metrics`, { headers })).status).toBe(401);
    }
    const without = await startProxy();
    expect((await fetch(`${without.url}/metrics`, { headers: { authorization } })).status).toBe(404);
    await without.stop();
  });

  it('leaves the listeners of the options as they are', async () => {
    const types: string[] = [];
    let appends = 0;
    proxy = await startProxy({
      metrics: true,
      onEvent: ({ type }) => void types.push(type),
      onAppend: (ms) => {
        expect(ms).toBeGreaterThanOrEqual(0);
        appends += 1;
      },
    });
    await post(proxy, upstream.url);
    upstream.calls[0]!.res.end();
    await expect.poll(() => types).toContain('closed');
    expect(appends).toBeGreaterThan(0);
  });
});

describe('GET /ready', () => {
  const ready = async () => {
    const response = await fetch(`${proxy.url}/ready`);
    return { code: response.status, ...((await response.json()) as { status: string }) };
  };

  it('responds 503 while the proxy drains', async () => {
    proxy = await startProxy();
    expect(await ready()).toEqual({ code: 200, status: 'ready' });
    await post(proxy, upstream.url);
    const stopped = proxy.stop({ drainMs: 60_000 });
    expect(await ready()).toEqual({ code: 503, status: 'draining' });
    // It is alive, and must not be killed for not being ready.
    expect((await fetch(`${proxy.url}/health`)).status).toBe(200);
    upstream.calls[0]!.res.end();
    await stopped;
  });

  it('responds 503 while the store does not answer, and 200 when it does again', async () => {
    const folder = await temporaryFolder();
    const store = embeddedStore({ dataDir: folder.path });
    const head = store.head.bind(store);
    proxy = await startProxy({ store });
    store.head = () => Promise.reject(new StoreError('UNAVAILABLE', 'The store is away'));
    expect(await ready()).toEqual({ code: 503, status: 'store-unavailable' });
    store.head = head;
    expect(await ready()).toEqual({ code: 200, status: 'ready' });
    await proxy.stop({ drainMs: 0 });
    await store.dispose();
    await folder.remove();
  });
});

describe('examples/monitoring', () => {
  const read = (file: string) => readFile(join(MONITORING, file), 'utf8');
  /** Names of all metrics, without the suffixes of histograms. */
  const known = [...new ProxyMetrics().render().matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
  const metricsIn = (text: string) => [
    ...new Set(
      [...text.matchAll(/durable_proxy_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, '')),
    ),
  ];

  it('has a dashboard whose queries are about metrics that exist', async () => {
    const dashboard = JSON.parse(await read('dashboard.json')) as {
      panels: { title: string; targets: { expr: string }[] }[];
    };
    expect(dashboard.panels.length).toBeGreaterThan(5);
    for (const { title, targets } of dashboard.panels) {
      const names = targets.flatMap(({ expr }) => metricsIn(expr));
      expect(names, title).not.toHaveLength(0);
      expect(known, title).toEqual(expect.arrayContaining(names));
    }
  });

  it('has alerts about metrics that exist, each with a summary', async () => {
    const { groups } = parse(await read('alerts.yaml')) as {
      groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
    };
    for (const { alert, expr, annotations } of groups.flatMap(({ rules }) => rules)) {
      expect(metricsIn(expr), alert).not.toHaveLength(0);
      expect(known, alert).toEqual(expect.arrayContaining(metricsIn(expr)));
      expect(annotations.summary, alert).toMatch(/\.$/);
    }
  });
});

needs('promtool')('examples/monitoring for Prometheus', () => {
  const promtool = (...args: string[]) =>
    promisify(execFile)(commandPath('promtool'), args, { cwd: MONITORING });

  it('has rules that promtool accepts, and that fire as their tests say', async () => {
    expect((await promtool('check', 'rules', 'alerts.yaml')).stdout).toMatch(/SUCCESS/);
    expect((await promtool('test', 'rules', 'alerts.test.yaml')).stdout).toMatch(/SUCCESS/);
    await promtool('check', 'config', '--syntax-only', 'prometheus.yaml');
  });

  it('reads the metrics of the proxy', async () => {
    const metrics = new ProxyMetrics();
    metrics.onEvent({ type: 'closed', streamId: 'a', outcome: 'complete', bytes: 1, durationMs: 1 });
    metrics.onAppend(3);
    const checked = promtool('check', 'metrics');
    checked.child.stdin?.end(metrics.render());
    await expect(checked).resolves.toMatchObject({ stderr: '' });
  });
});
