import type { Outcome } from '../protocol/outcomes.ts';
import type { Usage } from '../protocol/usage.ts';

/** State of one answer's transfer. */
export type ResumptionStatus =
  'idle' | 'creating' | 'streaming' | 'reconnecting' | 'complete' | 'aborted' | 'failed' | 'expired';

/** State of an answer, for display. Immutable: each change is a new object. */
export interface Resumption {
  /** Current state. */
  readonly status: ResumptionStatus;
  /** True if an earlier call, page or tab started this answer. */
  readonly wasResumed: boolean;
  /** Attempts to connect since the last byte arrived; 0 while connected. */
  readonly attempt: number;
  /** Stream offset just past the last byte that was read; undefined before the first byte. */
  readonly offset: string | undefined;
  /** Bytes of the answer that were read so far. */
  readonly receivedBytes: number;
  /** Why the answer is `failed` or `expired`, or why the last attempt to connect failed. */
  readonly error: Error | undefined;
  /** How the answer ended on the server; undefined until that is known. */
  readonly outcome: Outcome | undefined;
  /** Tokens, model and finish reason as the provider reported them; undefined until the answer has ended. */
  readonly usage?: Usage | undefined;
}

/** A value, or a promise of it. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * A storage for data that survives a reload. `localStorage` and `sessionStorage` have this form. Methods may be
 * synchronous or asynchronous. If the storage also has `keys()`, expired entries are removed once an hour.
 */
export interface StorageLike {
  /**
   * Returns the value of a key, or null.
   * @param key name of the item. Begins with the option `storagePrefix`.
   */
  getItem(key: string): MaybePromise<string | null>;
  /**
   * Stores a value.
   * @param key name of the item. Begins with the option `storagePrefix`.
   * @param value text to store. Replaces the former one.
   */
  setItem(key: string, value: string): MaybePromise<unknown>;
  /**
   * Removes a key.
   * @param key name of the item. Removing an unknown item must have no effect.
   */
  removeItem(key: string): MaybePromise<unknown>;
}

/** A secret or token for the proxy, or a function that returns one. The function is called again after a 401. */
export type ProxyAuthorization = string | (() => MaybePromise<string | undefined>);

/**
 * Notifies the client that the network or the app came back. Called with a function to call at each such event.
 * @param onWake function to call at each event. It takes no arguments and never throws.
 * @returns a function that ends the subscription.
 * @example
 * const wake: WakeSource = (onWake) => {
 *   const subscription = AppState.addEventListener('change', (state) => state === 'active' && onWake());
 *   return () => subscription.remove();
 * };
 */
export type WakeSource = (onWake: () => void) => () => void;

/** Options of `createDurableFetch`. */
export interface DurableFetchOptions {
  /**
   * URL of the proxy's mount, absolute or relative to the page.
   * @example '/v1/proxy'
   */
  proxyUrl: string;
  /**
   * Token or secret for the proxy, sent as `Authorization: Bearer`.
   * @default none, for session cookies (`credentials`)
   */
  proxyAuthorization?: ProxyAuthorization | undefined;
  /**
   * Sends the authorization as `?secret=` instead of a header. Query strings are written to access logs.
   * @default false
   */
  authorizationInQuery?: boolean | undefined;
  /**
   * Identifies the user, such as `user.id`. Data stored for one scope is not visible in another. The scope is not sent,
   * and is stored as a hash only. Set it if a session cookie identifies the user, or if an opaque token changes for the
   * same user.
   * @default `sub` and `iss` of a `proxyAuthorization` that is a JWT, else all of it
   */
  scope?: string | undefined;
  /**
   * Resumes an unfinished answer of the same `requestId` and request.
   * @default true
   */
  autoResume?: boolean | undefined;
  /**
   * Stores signed URLs and keys.
   * @default `localStorage` in pages, else memory
   */
  storage?: StorageLike | undefined;
  /**
   * Prefix of the keys in `storage`.
   * @default 'durable-proxy'
   */
  storagePrefix?: string | undefined;
  /**
   * The `fetch` that sends requests.
   * @default the global `fetch` at the time of each call
   */
  fetch?: typeof fetch | undefined;
  /**
   * `credentials` of the requests to the proxy, as for `fetch`.
   * @default 'same-origin'
   */
  credentials?: RequestCredentials | undefined;
  /**
   * First byte of a resumed body: `start` repeats the complete answer, `offset` continues after the last byte that was
   * read before.
   * @default 'start'
   */
  resumeFrom?: 'start' | 'offset' | undefined;
  /**
   * Also stops the upstream if the call's `signal` aborts or its body is canceled. Otherwise only reading stops.
   * @default false
   */
  abortUpstream?: boolean | undefined;
  /**
   * Milliseconds, rounded up to seconds, for which the answer continues on the server without a reader. The server
   * may allow less. `Infinity` for work in the background: no limit of the client.
   * @default the limit of the server
   */
  unreadTimeoutMs?: number | undefined;
  /**
   * Maximum number of attempts without progress.
   * @default no limit but time
   */
  maxReconnectAttempts?: number | undefined;
  /**
   * Milliseconds for which a body without progress is reconnected. Time in which the browser is offline or the machine
   * sleeps does not count.
   * @default 300_000 (5 minutes)
   */
  reconnectTimeoutMs?: number | undefined;
  /**
   * Milliseconds for which a request to create, find or stop an answer is repeated if the proxy does not respond. Time
   * in which the browser is offline or the machine sleeps does not count. The idempotency key stays the same, so the
   * upstream is called once.
   * @default 30_000
   */
  retryTimeoutMs?: number | undefined;
  /**
   * Milliseconds without a byte after which a connection counts as dead: two missed keep-alives.
   * @default 30_000
   */
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
  /**
   * Called for recoverable problems, such as a full storage or a failed abort.
   * @param warning states the problem. Contains no credentials.
   * @default none
   */
  onWarning?: ((warning: Error) => void) | undefined;
  /**
   * Called at each change of state.
   * @param resumption the new state. Not changed afterwards.
   * @default none
   */
  onResumption?: ((resumption: Resumption) => void) | undefined;
}

/** `RequestInit` with the options of one call. An option here overrides that of the client. */
export interface DurableRequestInit
  extends RequestInit, Partial<Omit<DurableFetchOptions, 'fetch' | 'credentials'>> {
  /**
   * Name by which the answer is found again after a reload, at most 512 bytes. Must be unique among all callers with
   * the same subject or secret.
   * @default none: the answer survives a lost connection, but not a reload
   */
  requestId?: string | undefined;
  /**
   * Name by which other tabs and devices find the answer.
   * @default `requestId`
   */
  streamKey?: string | undefined;
  /**
   * For `resume`: UUID of a stream to read even if it is finished.
   * @default none: an answer that this client did not create is resumed only while it runs
   */
  streamId?: string | undefined;
}

/** A `Response` whose body reconnects. */
export interface DurableResponse extends Response {
  /** UUID of the stream; undefined for an error, which has no stream. */
  readonly streamId: string | undefined;
  /** The signed URL. It grants reading and stopping this answer until it expires. */
  readonly streamUrl: string | undefined;
  /** Offset just past the last byte that was read. Changes while the body is read. */
  readonly offset: string | undefined;
  /** Media type that the upstream sent. */
  readonly upstreamContentType: string | undefined;
  /** True if an earlier call, page or tab started this answer. */
  readonly wasResumed: boolean;
  /**
   * Stops the upstream. Idempotent. Repeated for `retryTimeoutMs`.
   * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop.
   */
  abort(): Promise<void>;
  /**
   * Resolves when it is known how the answer ended; never rejects. `aborted` also for a reader that left (cancel,
   * signal), `interrupted` for one that gave up, `refused` for an error Response.
   */
  readonly outcome: Promise<Outcome>;
  /** What the provider reported about the answer. Resolves together with `outcome`; undefined if nothing is known. */
  readonly usage: Promise<Usage | undefined>;
}

/** Options of `durableFetch.follow`. */
export interface FollowInit extends Pick<
  DurableRequestInit,
  | 'signal'
  | 'proxyAuthorization'
  | 'authorizationInQuery'
  | 'heartbeatTimeoutMs'
  | 'maxReconnectAttempts'
  | 'wake'
  | 'debug'
> {
  /**
   * `eventId` of a stream that an earlier `follow` reported: what it has reported is not reported again.
   * @default none: begins with the newest stream
   */
  lastEventId?: string | undefined;
}

/** A stream that `durableFetch.follow` reports: when it is the newest under its name, and again when it has ended. */
export interface FollowedStream {
  /** UUID of the stream. */
  readonly streamId: string;
  /** The signed URL. It grants reading and stopping this answer until it expires. */
  readonly streamUrl: string;
  /** `pending` before the upstream has responded, `open` while the answer comes, `closed` after its end. */
  readonly state: 'pending' | 'open' | 'closed';
  /** How the answer ended; undefined while it is not `closed`. */
  readonly outcome: Outcome | undefined;
  /** Media type that the upstream sent; undefined if it is not known. */
  readonly upstreamContentType: string | undefined;
  /** Position of the follower after this report, for `lastEventId`. */
  readonly eventId: string;
  /**
   * Attaches to the answer, from its first byte.
   * @param init options of the call.
   * @returns null if the answer was deleted, or replaced by a newer one under the name.
   * @throws DurableNetworkError, DurableStreamError as `resume`.
   */
  open(init?: DurableRequestInit): Promise<DurableResponse | null>;
  /**
   * Stops the upstream. Idempotent.
   * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop.
   */
  abort(): Promise<void>;
}

/** A function with the signature of `fetch`, and methods for its unfinished answers. */
export interface DurableFetch {
  /**
   * Sends a request through the proxy.
   * @param input the request to the upstream, as for `fetch`.
   * @param init the options of `fetch`, and those of this call.
   * @throws DurableNetworkError if the proxy does not respond in time, `TypeError` and `AbortError` as `fetch`.
   */
  (input: RequestInfo | URL, init?: DurableRequestInit): Promise<DurableResponse>;
  /**
   * Attaches to the unfinished answer of an earlier call, without a request to the upstream.
   * @param requestId the `requestId` of that call.
   * @param init options of this call.
   * @returns null if no answer is known under the id.
   * @throws DurableNetworkError, DurableStreamError if the proxy does not respond, or refuses.
   */
  resume(requestId: string, init?: DurableRequestInit): Promise<DurableResponse | null>;
  /**
   * Stops the unfinished answer of the newest call on the server, also while that call is being sent and while the
   * upstream has not responded, and removes what is stored for it. The call may be that of an earlier page. The browser
   * completes the request if the page closes (`keepalive`).
   * @param requestId the `requestId` of that call.
   * @param init options of this call. With `streamId`, stops that stream only.
   * @returns false if no call has this id, and nothing is stored under it.
   * @throws DurableNetworkError, DurableStreamError if the proxy did not confirm the stop.
   */
  abort(requestId: string, init?: DurableRequestInit): Promise<boolean>;
  /**
   * Reports the newest answer under a name, each later one, and each end, whichever device began it. Reconnects by
   * itself, without a limit of time. Ends without an error when `signal` aborts.
   * @param name the `streamKey` of the calls, or their `requestId`.
   * @param init options of this call.
   * @throws DurableStreamError if the proxy refuses, or cannot follow names.
   * @example
   * for await (const { state, open } of durableFetch.follow('chat-42', { signal })) {
   *   if (state !== 'closed') await show(await open());
   * }
   */
  follow(name: string, init?: FollowInit): AsyncIterable<FollowedStream>;
  /**
   * Removes everything that is stored for this scope, and releases its open reads and requests without stopping their
   * answers. For logging out. The calls reject with an `AbortError`.
   * @param init the scope, if it differs from that of the client.
   * @throws DurableStorageError if the storage failed, or does not list its keys.
   */
  forget(init?: Pick<DurableRequestInit, 'scope' | 'proxyAuthorization'>): Promise<void>;
}
