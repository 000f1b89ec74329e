import type { MaybePromise } from '../shared/maybe-promise.ts';

/** One server-sent event as the upstream sent it (WHATWG HTML, "Server-sent events"). */
export interface UpstreamEvent {
  /** The value of its own `id` field. Unlike `EventSource.lastEventId`, it is not inherited from an earlier event. */
  readonly id: string | undefined;
  /** The value of its `event` field, or an empty string. */
  readonly type: string;
  /** Its `data` fields, joined by line feeds. */
  readonly data: string;
}

/** The events that the proxy has stored so far. Each call reads the log again and stops when the caller stops. */
export interface StoredEvents {
  /** Reads forward from the first event. */
  fromStart(): AsyncIterable<UpstreamEvent>;
  /** Reads backward from the last event. */
  fromEnd(): AsyncIterable<UpstreamEvent>;
}

/** The request of a create, as its caller sent it. `prepareUpstream` has not changed it. */
export interface RecoverableRequest {
  /** URL of the create. */
  readonly url: string;
  /** HTTP method of the create. */
  readonly method: string;
  /** Headers of the create, with the value of `Upstream-Authorization` as `authorization`. */
  readonly headers: Headers;
}

/** A create and the head of the upstream's 2xx response. */
export interface RecoverableExchange {
  /** Request of the create. */
  readonly request: RecoverableRequest & { readonly body: Uint8Array | undefined };
  /** Response of the upstream, without its body. */
  readonly response: { readonly status: number; readonly headers: Headers };
}

/** A stream that broke or is to be stopped, as recoveries see it. */
export interface RecoverableStream {
  /** Request of the create. */
  readonly request: RecoverableRequest;
  /** Header fields of the upstream's first response, without cookies. */
  readonly responseHeaders: Headers;
  /** The events that are stored so far. */
  readonly events: StoredEvents;
}

/** A request of a recovery. It is checked against the allowlist and passes through `prepareUpstream`. */
export interface RecoveryRequest {
  /** URL of the request. The allowlist must cover it. */
  readonly url: string | URL;
  /** Default `GET` for `resume`, `POST` for `cancel`. */
  readonly method?: string;
  /** Default: the headers of the create without those that describe its body. */
  readonly headers?: HeadersInit;
  /** Body of the request. */
  readonly body?: string | Uint8Array;
}

/** The request that continues a stream after its last stored event. */
export interface ResumeRequest extends RecoveryRequest {
  /**
   * Returns true for an event that is stored already. Called for the events of the new response in their order until it
   * returns false; those events are dropped. Default: the response begins after the last stored event.
   * @param event an event of the new response.
   */
  readonly isRepeated?: (event: UpstreamEvent) => boolean;
  /**
   * Called if the upstream responds 4xx. Returns another request, or null to give up. Default: gives up.
   * @param response HTTP status, and the beginning of the body as text.
   */
  readonly refused?: (response: { readonly status: number; readonly body: string }) => ResumeRequest | null;
  /**
   * Reads the rest of the stream, as server-sent events, from a whole response that is not an event stream. Returns
   * undefined if the provider has not finished: the proxy then repeats the request after a pause.
   * @param body the whole body of the response, as text.
   */
  readonly read?: (body: string) => string | undefined;
}

/**
 * Defines how broken streams of one kind of upstream are continued. Implementations must not keep state, because
 * another process than the one that began a stream may continue it.
 */
export interface UpstreamRecovery {
  /** Unique name among the recoveries of the proxy. It is stored with each stream, so it must not change. */
  readonly name: string;
  /**
   * Returns true for a response that this recovery can continue. It must be an event stream.
   * @param exchange request of the create, and status and headers of its response.
   */
  matches(exchange: RecoverableExchange): boolean;
  /**
   * Returns the request that continues after the last stored event, or null if there is none.
   * @param stream the stream that broke, with access to its stored events.
   */
  resume(stream: RecoverableStream): MaybePromise<ResumeRequest | null>;
  /**
   * Returns the request that stops the upstream, or null if there is none. Default: closing the connection stops it.
   * @param stream the stream that is to be stopped, with access to its stored events.
   */
  cancel?(stream: RecoverableStream): MaybePromise<RecoveryRequest | null>;
  /**
   * Returns true for an event that ends the provider's answer. If defined, a response that ends before such an event
   * counts as broken. Default: the answer ends with the response.
   * @param event an event of the provider.
   */
  isEnd?(event: UpstreamEvent): boolean;
}
