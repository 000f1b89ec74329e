import type { MaybePromise } from '../shared/maybe-promise.ts';

/** One server-sent event as the upstream sent it (WHATWG HTML, "Server-sent events"). */
export interface UpstreamEvent {
  /** The value of its own `id` field. Unlike `EventSource.lastEventId`, it is not taken over from an earlier event. */
  readonly id: string | undefined;
  /** The value of its `event` field, or an empty string. */
  readonly type: string;
  /** Its `data` fields, joined by line feeds. */
  readonly data: string;
}

/** The events that the proxy has stored so far. Each call reads the log anew and stops when the caller stops. */
export interface StoredEvents {
  /** Reads from the first event on. */
  fromStart(): AsyncIterable<UpstreamEvent>;
  /** Reads from the last event back. */
  fromEnd(): AsyncIterable<UpstreamEvent>;
}

/** The request of a create, as its caller sent it. `prepareUpstream` has not changed it. */
export interface RecoverableRequest {
  /** URL of the create. */
  readonly url: string;
  /** HTTP method of the create. */
  readonly method: string;
  /** With the value of `Upstream-Authorization` as `authorization`. */
  readonly headers: Headers;
}

/** A create and the head of the upstream's 2xx response. */
export interface RecoverableExchange {
  /** Request of the create. */
  readonly request: RecoverableRequest & { readonly body: Uint8Array | undefined };
  /** Response of the upstream, without its body. */
  readonly response: { readonly status: number; readonly headers: Headers };
}

/** What a recovery knows about a stream that broke or is to be stopped. */
export interface RecoverableStream {
  /** Request of the create. */
  readonly request: RecoverableRequest;
  /** Header fields of the upstream's first response, without cookies. */
  readonly responseHeaders: Headers;
  /** Reads the stored events from the beginning. */
  readonly events: StoredEvents;
}

/** A request of a recovery. It is checked against the allowlist and passes through `prepareUpstream`. */
export interface RecoveryRequest {
  /** URL of the request. The allowlist must cover it. */
  readonly url: string | URL;
  /** Default `GET` for `resume`, `POST` for `cancel`. */
  readonly method?: string;
  /** Default: the headers of the create without those about its body. */
  readonly headers?: HeadersInit;
  /** Body of the request. */
  readonly body?: string | Uint8Array;
}

export interface ResumeRequest extends RecoveryRequest {
  /**
   * Returns true for an event that is stored already. Called for the events of the new response in their order until it
   * returns false; those events are dropped. Default: the response begins after the last stored event.
   */
  readonly isRepeated?: (event: UpstreamEvent) => boolean;
  /** Called if the upstream responds 4xx. Returns another request, or null to give up. Default: gives up. */
  readonly refused?: (response: { readonly status: number; readonly body: string }) => ResumeRequest | null;
  /**
   * Reads the rest of the stream, as server-sent events, from a whole response that is not an event stream. Returns
   * undefined if the provider is not done: the proxy repeats the request after a pause.
   */
  readonly read?: (body: string) => string | undefined;
}

/**
 * Knows how the streams of one kind of upstream are continued after they broke. Implementations keep no state: the
 * process that continues a stream may be another one than the one that began it.
 */
export interface UpstreamRecovery {
  /** Names the recovery among those of the proxy. Stored with each stream, so it has to stay the same. */
  readonly name: string;
  /** Returns true for a response that this recovery can continue. It must be an event stream. */
  matches(exchange: RecoverableExchange): boolean;
  /** Returns the request that continues after the last stored event, or null if there is none. */
  resume(stream: RecoverableStream): MaybePromise<ResumeRequest | null>;
  /** Returns the request that stops the upstream, or null if there is none. Default: closing the connection stops it. */
  cancel?(stream: RecoverableStream): MaybePromise<RecoveryRequest | null>;
  /**
   * Returns true for an event after which the provider's answer is over. With it, a response that ends before such an
   * event counts as broken. Default: the end of the response is the end of the answer.
   */
  isEnd?(event: UpstreamEvent): boolean;
}
