import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage } from 'node:http';
import {
  context,
  metrics,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Meter,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import type { ProxyEvent } from '../shared/events.ts';
import { requestAttributes, usageAttributes } from './gen-ai.ts';
import { meterOf } from './meter.ts';
import type { ObservedRequest, RequestObserver, Telemetry } from './types.ts';

export type { ErrorCode } from '../../protocol/errors.ts';
export type { Outcome, OutcomeError } from '../../protocol/outcomes.ts';
export type { FormatName, Usage } from '../../protocol/usage.ts';
export type { OnEvent, ProxyEvent, ReadMode, StreamEvent } from '../shared/events.ts';
export type { ObservedRequest, RequestObserver, Telemetry } from './types.ts';

/** Options of `openTelemetry`. */
export interface OpenTelemetryOptions {
  /**
   * Creates the spans.
   * @default the tracer `durable-proxy` of the registered provider
   */
  readonly tracer?: Tracer;
  /**
   * Records the metrics.
   * @default the meter `durable-proxy` of the registered provider
   */
  readonly meter?: Meter;
}

/**
 * Milliseconds within which a stream is closed after the end of its body. Its span ends then in any case, because
 * another process may close the stream.
 */
const CLOSE_MS = 60_000;

/** State of one create: the span of its request to the upstream, once that is sent. */
interface Creation {
  upstream?: RequestSpan;
}

/** Span of a request to an upstream. The span of a stream's request ends when the stream is closed, with the usage. */
interface RequestSpan {
  readonly span: Span;
  isStream: boolean;
  timer?: NodeJS.Timeout;
}

/**
 * Creates spans and metrics with `@opentelemetry/api`, an optional peer dependency. Register an SDK first.
 *
 * Spans: each create (child of the active span, or of the caller's `traceparent`), each request to an upstream (whose
 * `traceparent` names its span), each recovery and each attempt to send a webhook. No attribute contains a query, a
 * header or a body.
 *
 * @param options a tracer and a meter of your own.
 * @example
 * durableProxy({ jwtSecret, allowlist, telemetry: openTelemetry() })
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  const tracer = options.tracer ?? trace.getTracer('durable-proxy');
  const meter = meterOf(options.meter ?? metrics.getMeter('durable-proxy'));
  const creations = new AsyncLocalStorage<Creation>();
  const streams = new Map<string, RequestSpan>();

  function end(request: RequestSpan): void {
    clearTimeout(request.timer);
    request.span.end();
  }

  /** Starts a span for an operation that has already ended. */
  function past(
    name: string,
    kind: SpanKind,
    ms: number,
    attributes: Record<string, string | number | boolean>,
  ) {
    const parent = streams.get(String(attributes['durable_proxy.stream.id']))?.span;
    const about = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const now = Date.now();
    return tracer.startSpan(name, { kind, attributes, startTime: now - ms }, about);
  }

  function onEvent(event: ProxyEvent): void {
    meter.onEvent(event);
    switch (event.type) {
      case 'created': {
        const request = creations.getStore()?.upstream;
        if (!request) return;
        request.isStream = true;
        request.span.setAttribute('durable_proxy.stream.id', event.streamId);
        streams.set(event.streamId, request);
        return;
      }
      case 'closed':
      case 'released': {
        const request = streams.get(event.streamId);
        if (!request) return;
        streams.delete(event.streamId);
        if (event.type === 'released') return end(request);
        request.span.setAttribute('durable_proxy.outcome', event.outcome);
        if (event.usage) request.span.setAttributes(usageAttributes(event.usage));
        if (event.outcome !== 'complete' && event.outcome !== 'aborted') fail(request.span, event.outcome);
        return end(request);
      }
      case 'recovered':
        return past('recover', SpanKind.INTERNAL, event.gapMs, {
          'durable_proxy.stream.id': event.streamId,
          'durable_proxy.recovery.cause': event.cause,
          'durable_proxy.recovery.attempt': event.attempt,
          'durable_proxy.recovery.adopted': event.adopted,
        }).end();
      case 'webhook-delivered':
      case 'webhook-failed': {
        const span = past('POST', SpanKind.CLIENT, event.durationMs, {
          'http.request.method': 'POST',
          'durable_proxy.stream.id': event.streamId,
          'http.request.resend_count': event.attempts - 1,
          ...(event.type === 'webhook-delivered' && { 'http.response.status_code': event.status }),
        });
        if (event.type === 'webhook-failed') fail(span, event.reason);
        return span.end();
      }
    }
  }

  function create(req: IncomingMessage, handle: () => Promise<void>): Promise<void> {
    const active = context.active();
    // Without instrumentation of the app's server, the caller's span is only in the request headers.
    const hasParent = trace.getSpan(active) !== undefined;
    const about = hasParent ? active : propagation.extract(active, req.headers);
    const kind = hasParent ? SpanKind.INTERNAL : SpanKind.SERVER;
    const attributes = { 'http.request.method': req.method ?? 'POST' };
    const span = tracer.startSpan('create stream', { kind, attributes }, about);
    const run = () => creations.run({}, handle);
    return context.with(trace.setSpan(about, span), run).then(
      () => span.end(),
      (error: unknown) => {
        fail(span, codeOf(error));
        span.end();
        throw error;
      },
    );
  }

  function request({ url, method, body }: ObservedRequest): RequestObserver {
    const model = requestAttributes(url, body);
    const name = model ? `chat ${String(model['gen_ai.request.model'])}` : method;
    const attributes = {
      'http.request.method': method,
      'server.address': url.hostname,
      'server.port': Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
      'url.full': url.origin + url.pathname,
      ...model,
    };
    const span = tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes });
    const own: RequestSpan = { span, isStream: false };
    const creation = creations.getStore();
    if (creation) creation.upstream = own;
    const headers: Record<string, string> = {};
    propagation.inject(trace.setSpan(context.active(), span), headers);
    return {
      headers,
      responded(status) {
        span.setAttribute('http.response.status_code', status);
        if (status >= 400) fail(span, String(status));
      },
      failed(error) {
        fail(span, codeOf(error));
        span.end();
      },
      ended() {
        if (!own.isStream) span.end();
        else own.timer = setTimeout(() => span.end(), CLOSE_MS).unref();
      },
    };
  }

  return { onEvent, onAppend: meter.onAppend, create, request };
}

/** @param type a code or a status, of which there are few: never a message. */
function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : '_OTHER';
}
