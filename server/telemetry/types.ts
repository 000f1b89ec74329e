import type { IncomingMessage } from 'node:http';
import type { ProxyEvent } from '../shared/events.ts';

/** A request to an upstream, as telemetry sees it. */
export interface ObservedRequest {
  /** URL of the upstream request. */
  readonly url: URL;
  /** HTTP method of the upstream request. */
  readonly method: string;
  /** Body of the upstream request. */
  readonly body: Uint8Array | undefined;
}

/** Observes one request to an upstream. One of `failed` and `responded` is called, and `ended` after `responded`. */
export interface RequestObserver {
  /** Headers that replace those of the request, such as `traceparent`. Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Called if the request fails without a response.
   * @param error why there is no response.
   */
  failed(error: unknown): void;
  /**
   * Called when the response headers arrive.
   * @param status HTTP status of the upstream's response.
   */
  responded(status: number): void;
  /** Called when the body has ended, completely or not. */
  ended(): void;
}

/**
 * Observes a proxy: value of the option `telemetry`. `openTelemetry()` of `durable-proxy/opentelemetry` creates one.
 */
export interface Telemetry {
  /**
   * Called with each event of the proxy. Must not throw.
   * @param event the event. `type` names its kind.
   */
  onEvent(event: ProxyEvent): void;
  /**
   * Called with the milliseconds of each append to the store. Must not throw.
   * @param ms milliseconds that the append took.
   */
  onAppend(ms: number): void;
  /**
   * Runs a create, and observes it. Must call `handle` once, and settle as `handle` does.
   * @param req the HTTP request of the caller.
   * @param handle carries out the create and sends the response.
   */
  create(req: IncomingMessage, handle: () => Promise<void>): Promise<void>;
  /**
   * Called before a request to an upstream is sent: of a create, or of a recovery. Must not throw.
   * @param request the request, before it is sent.
   */
  request(request: ObservedRequest): RequestObserver;
}
