import { context, propagation, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-base';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTelemetry } from '../../server/telemetry/opentelemetry.ts';
import type { DurableProxyOptions, ProxyEvent } from '../../server/index.ts';
import { FORMAT_ANSWERS } from '../support/format-answers.ts';
import { ManualStore } from '../support/manual-store.ts';
import { startSample } from '../samples/support/server-process.ts';
import { SECRET, startProxy } from '../support/proxy.ts';
import { startUpstream, write, type UpstreamCall } from '../support/upstream.ts';
import { post } from '../support/wire.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const cleanups: (() => unknown)[] = [];
let spans: InMemorySpanExporter;
beforeEach(() => {
  spans = new InMemorySpanExporter();
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  context.disable();
  propagation.disable();
});

/** Creates telemetry whose spans and metrics a test can read. */
function measure() {
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).getTracer(
    'test',
  );
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter });
  const meters = new MeterProvider({ readers: [reader] });
  const telemetry = openTelemetry({ tracer, meter: meters.getMeter('test') });
  cleanups.push(() => meters.shutdown());
  /** Values by metric, each with its attributes. Of a histogram, the count. */
  const collected = async () => {
    await reader.forceFlush();
    const newest =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
    return new Map(
      newest.map(({ descriptor, dataPoints }) => [
        descriptor.name,
        dataPoints.map(({ value, attributes }) => [
          typeof value === 'number' ? value : (value as { count: number }).count,
          attributes,
        ]),
      ]),
    );
  };
  return { telemetry, collected };
}

async function start(handler: (call: UpstreamCall) => void, options: Partial<DurableProxyOptions> = {}) {
  const { telemetry, collected } = measure();
  const upstream = await startUpstream(handler);
  const proxy = await startProxy({ telemetry, ...options });
  cleanups.push(
    () => upstream.close(),
    () => proxy.stop({ drainMs: 0 }),
  );
  return { proxy, upstream, collected };
}

const spanOf = (name: string): ReadableSpan | undefined =>
  spans.getFinishedSpans().find((span) => span.name === name);
const parentOf = (span: ReadableSpan | undefined) => span?.parentSpanContext?.spanId;

const MODEL = FORMAT_ANSWERS.find(({ format }) => format === 'openai-chat')!;
const answer = ({ res }: UpstreamCall) => {
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.end(MODEL.events.join(''));
};
const body = JSON.stringify({ model: 'gpt-test', stream: true });

describe('telemetry', () => {
  it('continues the trace of the caller, through the create, to the upstream', async () => {
    const { proxy, upstream } = await start(answer);
    await post(proxy, `${upstream.url}/v1/chat/completions?key=sk-1`, {
      body,
      headers: { traceparent: `00-${TRACE}-${CALLER}-01`, 'content-type': 'application/json' },
    });
    await expect.poll(() => spanOf('chat gpt-test')).toBeDefined();
    const [create, request] = [spanOf('create stream'), spanOf('chat gpt-test')];
    expect(create?.spanContext().traceId).toBe(TRACE);
    expect(parentOf(create)).toBe(CALLER);
    expect(create?.kind).toBe(SpanKind.SERVER);
    expect(parentOf(request)).toBe(create?.spanContext().spanId);
    const { headers } = upstream.calls[0]!.req;
    expect(headers['traceparent']).toBe(`00-${TRACE}-${request?.spanContext().spanId}-01`);
  });

  it('describes the request to the model, with the usage that the provider reported', async () => {
    const { proxy, upstream } = await start(answer);
    await post(proxy, `${upstream.url}/v1/chat/completions?key=sk-1`, {
      body,
      headers: { 'upstream-authorization': 'Bearer sk-2' },
    });
    await expect.poll(() => spanOf('chat gpt-test')).toBeDefined();
    const span = spanOf('chat gpt-test');
    expect(span?.kind).toBe(SpanKind.CLIENT);
    expect(span?.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.response.status_code': 200,
      'server.address': '127.0.0.1',
      'server.port': Number(new URL(upstream.url).port),
      'url.full': `${upstream.url}/v1/chat/completions`,
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-test',
      'durable_proxy.outcome': 'complete',
    });
    expect(span?.attributes['gen_ai.usage.output_tokens']).toBe(MODEL.usage.outputTokens);
    expect(span?.attributes['gen_ai.usage.input_tokens']).toBe(MODEL.usage.inputTokens);
    const values = spans.getFinishedSpans().map(({ name, attributes }) => ({ name, attributes }));
    expect(JSON.stringify(values)).not.toMatch(/sk-|key=/);
  });

  it('marks what fails, with a code', async () => {
    const { proxy, upstream } = await start(({ res }) => res.writeHead(429).end('slow down'));
    await post(proxy, upstream.url, { body });
    await expect.poll(() => spanOf('create stream')).toBeDefined();
    expect(spanOf('create stream')?.status.code).toBe(SpanStatusCode.ERROR);
    expect(spanOf('create stream')?.attributes['error.type']).toBe('UPSTREAM_ERROR');
    expect(spanOf('chat gpt-test')?.attributes).toMatchObject({
      'error.type': '429',
      'http.response.status_code': 429,
    });
  });

  it('has a span for each attempt to send a webhook', async () => {
    const receiver = await startUpstream(({ res }) => res.writeHead(204).end());
    cleanups.push(() => receiver.close());
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    const { proxy, upstream } = await start(answer, { webhook: { url: receiver.url, secret } });
    await post(proxy, upstream.url, { body });
    await expect
      .poll(() => spanOf('POST')?.attributes)
      .toMatchObject({
        'http.response.status_code': 204,
        'http.request.resend_count': 0,
      });
  });

  it('has a span for each recovery, as long as the stream was without an upstream', () => {
    const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }).getTracer(
      'test',
    );
    openTelemetry({ tracer }).onEvent({
      ...{
        type: 'recovered',
        streamId: 'stream-1',
        attempt: 2,
        cause: 'timeout',
        gapMs: 1_500,
        adopted: true,
      },
    });
    const span = spanOf('recover');
    expect(span?.attributes).toEqual({
      'durable_proxy.stream.id': 'stream-1',
      'durable_proxy.recovery.cause': 'timeout',
      'durable_proxy.recovery.attempt': 2,
      'durable_proxy.recovery.adopted': true,
    });
    const [seconds = 0, nanoseconds = 0] = span?.duration ?? [];
    expect(seconds + nanoseconds / 1e9).toBeCloseTo(1.5, 1);
  });

  const stream = { streamId: 'stream-1' };
  const closed = { type: 'closed', ...stream, outcome: 'complete', bytes: 1, durationMs: 1 } as const;
  const recovered = {
    ...{ type: 'recovered', ...stream, attempt: 1, cause: 'interrupted', gapMs: 1, adopted: true },
  } as const;
  const created = { type: 'created', ...stream, upstream: 'http://127.0.0.1/', headersMs: 1 } as const;

  it.each([
    ['once, however often it is recovered', [recovered, recovered], 1],
    ['no more after it is closed', [recovered, recovered, closed], 0],
    ['not if it is closed before it is recovered', [closed], undefined],
    ['no more after another process adopted it', [created, { type: 'released', ...stream }], 0],
    ['again after this process adopted it back', [created, { type: 'released', ...stream }, recovered], 1],
  ] as [string, ProxyEvent[], number | undefined][])(
    'counts an adopted stream %s',
    async (_, events, count) => {
      const { telemetry, collected } = measure();
      for (const event of events) telemetry.onEvent(event);
      const active = (await collected()).get('durable_proxy.streams.active');
      expect(active?.[0]?.[0]).toBe(count);
    },
  );

  it('ends the span of a request whose stream another process adopted, without an outcome', async () => {
    const store = new ManualStore();
    const { proxy, upstream } = await start(({ res }) => void write(res, 'hel'), { store });
    await post(proxy, upstream.url, { body });
    const find = () => [...store.logs].find(([, { bytes }]) => bytes.includes('hel'));
    await expect.poll(find).toBeDefined();
    const [streamId] = find()!;
    await new ManualStore(store.logs).adopt(streamId, 0, { owner: 'other' });
    await write(upstream.calls[0]!.res, 'lo');
    await expect.poll(() => spanOf('chat gpt-test')).toBeDefined();
    expect(spanOf('chat gpt-test')?.attributes).toMatchObject({ 'durable_proxy.stream.id': streamId });
    expect(spanOf('chat gpt-test')?.attributes).not.toHaveProperty('durable_proxy.outcome');
  });

  it('[server/telemetry.ts] starts a proxy, with or without an SDK', async () => {
    const server = await startSample('server/telemetry.ts', { JWT_SECRET: SECRET });
    cleanups.push(() => server.dispose());
    const created = await post(
      { base: `http://127.0.0.1:${server.port}/v1/proxy` },
      'https://elsewhere.example/',
    );
    expect(created.status).toBe(403);
  });

  it('counts streams, readers, appends and refusals', async () => {
    const { proxy, upstream, collected } = await start(answer);
    await post(proxy, upstream.url, { body });
    await fetch(proxy.base, { method: 'POST' });
    await expect.poll(() => spanOf('chat gpt-test')).toBeDefined();
    const metrics = await collected();
    expect(metrics.get('durable_proxy.streams.active')).toEqual([[0, {}]]);
    expect(metrics.get('durable_proxy.streams.closed')).toEqual([[1, { outcome: 'complete' }]]);
    expect(metrics.get('durable_proxy.refused')).toEqual([[1, { code: 'MISSING_SECRET' }]]);
    expect(metrics.get('durable_proxy.first_byte.duration')).toEqual([[1, {}]]);
    expect(Number(metrics.get('durable_proxy.append.duration')?.[0]?.[0])).toBeGreaterThanOrEqual(1);
  });
});
