import { context, propagation } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { ExportResultCode, W3CTraceContextPropagator, type ExportResult } from '@opentelemetry/core';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { createProxyServer, embeddedStore } from '../../server/index.ts';
import { openTelemetry } from '../../server/telemetry/opentelemetry.ts';

/**
 * This project on the embedded store, `telemetry-server <dataDir> <share>`: with a real OpenTelemetry SDK that samples
 * this share of the traces, or without one if the share is `none`. The exporters drop what they receive.
 */
const [dataDir, share] = process.argv.slice(2) as [string, string];
/** Milliseconds between two exports of metrics: several in each run. */
const EXPORT_MS = 1_000;

const exporter = {
  export: (_items: unknown, done: (result: ExportResult) => void) => done({ code: ExportResultCode.SUCCESS }),
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

function telemetry() {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const traces = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(Number(share)) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const metrics = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: EXPORT_MS })],
  });
  return openTelemetry({ tracer: traces.getTracer('bench'), meter: metrics.getMeter('bench') });
}

const { url } = await createProxyServer({
  port: 0,
  host: '127.0.0.1',
  jwtSecret: process.env['BENCH_SECRET']!,
  allowlist: ['http://127.0.0.1:*/**'],
  store: embeddedStore({ dataDir }),
  ...(share !== 'none' && { telemetry: telemetry() }),
});
console.log(`listening ${url}`);
// Exits normally, because only then a profile is written.
process.on('SIGTERM', () => process.exit());
