import type { Outcome } from '../protocol/outcomes.ts';
import type { Usage } from '../protocol/usage.ts';

/** Where the resumption of one answer stands. See `state.ts` for the table of states and events. */
export type ResumptionStatus =
  'idle' | 'creating' | 'streaming' | 'reconnecting' | 'complete' | 'aborted' | 'failed' | 'expired';

/** What a page can show of a resumption. Immutable: a change is a new object. */
export interface Resumption {
  readonly status: ResumptionStatus;
  /** True when this reader took up an answer that an earlier call, page or tab began. */
  readonly wasResumed: boolean;
  /** Attempts to connect since the last byte arrived; 0 while all is well. */
  readonly attempt: number;
  /** The stream offset behind the last byte handed out, when there is one. */
  readonly offset: string | undefined;
  /** Bytes of the answer handed out so far. */
  readonly receivedBytes: number;
  /** Why it is `failed` or `expired`, or what the last attempt to reconnect ran into. */
  readonly error: Error | undefined;
  /** How the answer ended on the server, once known. */
  readonly outcome: Outcome | undefined;
  /** What the provider reported about the answer, once it has ended: tokens, model, finish reason. */
  readonly usage?: Usage | undefined;
}

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Where credentials are kept between pages. `localStorage` and `sessionStorage` fit, and so does anything alike,
 * behind promises too. One with a `keys()` is swept of what is past its time.
 */
export interface StorageLike {
  getItem(key: string): MaybePromise<string | null>;
  setItem(key: string, value: string): MaybePromise<unknown>;
  removeItem(key: string): MaybePromise<unknown>;
}

/** A secret or token for the proxy, or a function that is asked for one, and asked again after a 401. */
export type ProxyAuthorization = string | (() => MaybePromise<string | undefined>);

/**
 * Tells the client that the network or the app came back. Called with a function to call at each such event.
 * @returns a function that ends the subscription.
 */
export type WakeSource = (onWake: () => void) => () => void;

/** Options of `createDurableFetch`. */
export interface DurableFetchOptions {
  /** Where the proxy is mounted, absolute or relative to the page: `/v1/proxy`. */
  proxyUrl: string;
  /** Travels as `Authorization: Bearer`. Leave it out where a session cookie does the work (`credentials`). */
  proxyAuthorization?: ProxyAuthorization | undefined;
  /** Sends the authorization as `?secret=` instead of a header. Default false: query strings end up in logs. */
  authorizationInQuery?: boolean | undefined;
  /**
   * Identifies the user, such as `user.id`. What is stored for one scope is not visible in another. Not sent, and stored
   * as a hash only. Default: `sub` and `iss` of a `proxyAuthorization` that is a JWT, else all of it. Set this if a
   * session cookie identifies the user, or if an opaque token changes for the same user.
   */
  scope?: string | undefined;
  /** Take up an unfinished answer of the same `requestId` and body. Default true. */
  autoResume?: boolean | undefined;
  /** Default: `localStorage` where there is one, else memory. */
  storage?: StorageLike | undefined;
  /** What keys in the storage begin with. Default `durable-proxy`. */
  storagePrefix?: string | undefined;
  /** The fetch to go over. Default: the global one, looked up at each call. */
  fetch?: typeof fetch | undefined;
  /** As in fetch, for requests to the proxy. Default: fetch's own (`same-origin`). */
  credentials?: RequestCredentials | undefined;
  /** What a resumed body holds: `start`, the whole answer again (default), or `offset`, the rest. */
  resumeFrom?: 'start' | 'offset' | undefined;
  /** Stop the upstream when the call's `signal` aborts or its body is cancelled. Default false: only reading stops. */
  abortUpstream?: boolean | undefined;
  /**
   * How long the answer continues on the server while nobody reads it, in milliseconds, rounded up to seconds. The server
   * may allow less. `Infinity`: without end, for work in the background. Default: what the server allows.
   */
  unreadTimeoutMs?: number | undefined;
  /** Maximum number of attempts without progress. Default: limited by time only. */
  maxReconnectAttempts?: number | undefined;
  /**
   * How long to reconnect a body that makes no progress, in milliseconds. Default 300,000 (5 minutes). Time in which
   * the browser is offline or the machine sleeps does not count.
   */
  reconnectTimeoutMs?: number | undefined;
  /**
   * How long to repeat a request to create, find or stop an answer if no answer of the proxy arrives, in milliseconds.
   * Default 30,000. Time in which the browser is offline or the machine sleeps does not count. The idempotency key
   * stays the same, so the upstream is called once.
   */
  retryTimeoutMs?: number | undefined;
  /** Milliseconds of silence after which a connection counts as dead. Default 30,000: two missed keep-alives. */
  heartbeatTimeoutMs?: number | undefined;
  /**
   * Additional source of wake events, for apps that are not pages: React Native's `AppState` and `NetInfo`. Each event
   * ends the wait before a reconnect, and makes the client check a connection that has been silent. A wait that
   * `Retry-After` asked for continues. Called when a request starts; the subscription ends with its answer. The events
   * `online`, `pageshow` and `visibilitychange` of a page are observed in any case.
   * @default none
   */
  wake?: WakeSource | undefined;
  /**
   * Reports each change of state and each attempt as one line of text, to `console.log` if `true`. The lines contain
   * the method and the URL of the upstream request without its query, states, offsets and error codes; no headers, no
   * signed URLs, no error messages.
   * @default false
   */
  debug?: boolean | ((line: string) => void) | undefined;
  /** Told of what was survived (a full storage, a failed abort) and might interest a developer. Default: nobody. */
  onWarning?: ((warning: Error) => void) | undefined;
  /** Told each time the resumption changes. */
  onResumption?: ((resumption: Resumption) => void) | undefined;
}

/** `RequestInit` with the proxy's own fields; each option may be overridden for one call. */
export interface DurableRequestInit
  extends RequestInit, Partial<Omit<DurableFetchOptions, 'fetch' | 'credentials'>> {
  /**
   * The name under which this answer is found again after a reload: at most 512 bytes, and unique among all
   * who use the same secret or subject. Without one it survives drops, not reloads.
   */
  requestId?: string | undefined;
  /** The name under which other tabs and devices find it. Default: `requestId`. */
  streamKey?: string | undefined;
  /**
   * For `resume`: the stream (its UUID) that was heard of, and is wanted though it may be over. By default what
   * this client did not begin is taken up only while it runs.
   */
  streamId?: string | undefined;
}

/** A `Response` that knows where its body comes from. */
export interface DurableResponse extends Response {
  /** The stream's UUID; undefined on errors, which have no stream. */
  readonly streamId: string | undefined;
  /** The signed URL: whoever has it can read and stop this answer until it expires. */
  readonly streamUrl: string | undefined;
  /** The offset behind the last byte handed out. Changes while the body is read. */
  readonly offset: string | undefined;
  readonly upstreamContentType: string | undefined;
  readonly wasResumed: boolean;
  /** Stops the upstream, from wherever the body is. Idempotent; retried; rejects when it could not be done. */
  abort(): Promise<void>;
  /**
   * How the answer ended; resolves once that is known, and never rejects. For a reader that left (cancel,
   * signal) it says `aborted`, for one that gave up `interrupted`, for an error Response `refused`.
   */
  readonly outcome: Promise<Outcome>;
  /** What the provider reported about the answer. Resolves together with `outcome`; undefined if nothing is known. */
  readonly usage: Promise<Usage | undefined>;
}

/** Stands where `fetch` stands. */
export interface DurableFetch {
  /**
   * Sends a request through the proxy.
   * @param input the request to the upstream, as for `fetch`.
   * @param init the options of `fetch`, and those of this call.
   */
  (input: RequestInfo | URL, init?: DurableRequestInit): Promise<DurableResponse>;
  /** Attaches to the answer of an earlier call without a request; null when nothing is known under the id. */
  resume(requestId: string, init?: DurableRequestInit): Promise<DurableResponse | null>;
  /**
   * Stops the unfinished answer of an earlier call on the server, also while the upstream has not responded, and
   * forgets it. With `init.streamId`, only that stream. The request outlives the page (`keepalive`).
   *
   * @returns false if nothing is stored under the id.
   * @throws DurableNetworkError, DurableStreamError if the server could not be told, or does not know of stops
   * before the response.
   */
  abort(requestId: string, init?: DurableRequestInit): Promise<boolean>;
  /**
   * Removes all that is stored for this scope, and releases its open reads and requests without stopping their answers.
   * For when a user logs out. Their calls reject with an `AbortError`.
   *
   * @throws DurableStorageError if the storage failed, or has neither `keys()` nor the form of a `Storage`.
   */
  forget(init?: Pick<DurableRequestInit, 'scope' | 'proxyAuthorization'>): Promise<void>;
}
