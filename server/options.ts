import type { IncomingMessage } from 'node:http';
import type { Authenticate } from './auth/service.ts';
import type { OnEvent } from './shared/events.ts';
import type { CorsOptions } from './http/cors-options.ts';
import type { Logger } from './shared/logger.ts';
import type { MaybePromise } from './shared/maybe-promise.ts';
import type { UpstreamRecovery } from './recovery/types.ts';
import type { StreamStore } from './store/types.ts';
import type { WebhookOptions } from './webhooks/options.ts';
import type { Telemetry } from './telemetry/types.ts';
import type { UpstreamDispatcher } from './upstream/outbound.ts';
import type { ExposeUpstreamHeaders } from './upstream/response-headers.ts';

/**
 * Request to the upstream, as passed to `prepareUpstream`. `url` and `headers` may be changed in place; the
 * proxy validates the result.
 */
export interface UpstreamDraft {
  /** URL of the upstream request. */
  url: URL;
  /** HTTP method of the upstream request. */
  readonly method: string;
  /** Headers of the upstream request. */
  headers: Headers;
  /** Subject of the caller; undefined if it authenticated with the plain service secret. */
  readonly subject: string | undefined;
  /**
   * What the request is for: the create of a stream, or a request of the option `recovery` that continues or stops the
   * upstream of one.
   */
  readonly purpose: 'create' | 'resume' | 'cancel';
  /** The request of the create. Undefined for other purposes: they have no caller. */
  readonly req: IncomingMessage | undefined;
}

/**
 * Changes the request to the upstream before it is sent.
 * @param draft the request to the upstream. Changes of `url` and `headers` in place take effect.
 */
export type PrepareUpstream = (
  draft: UpstreamDraft,
) => MaybePromise<void | { url?: URL | string; headers?: HeadersInit }>;

/** Options of `durableProxy` and `createProxyServer`. */
export interface DurableProxyOptions {
  /**
   * Service secret, also used to sign URLs and service tokens. Pass a list to rotate it: the first entry signs,
   * all entries verify. Use at least 32 random bytes: `openssl rand -base64 32`. A shorter one is logged as a warning.
   */
  jwtSecret: string | readonly string[];
  /**
   * Accepts `jwtSecret` itself as a credential. If false, servers authenticate with
   * `deriveServiceSecret(jwtSecret)`, so the signing key is never sent.
   * @default true
   */
  acceptJwtSecret?: boolean | undefined;
  /**
   * Accepts service tokens of version 0.1, which have no type claim. Will be removed in the next version.
   * @default false
   */
  acceptLegacyTokens?: boolean | undefined;
  /**
   * Patterns of the upstream URLs that may be called, such as `['https://api.openai.com/**']`. An empty list
   * allows none.
   * @default []
   */
  allowlist?: readonly string[] | undefined;

  /**
   * Store for the streams.
   * @default the embedded store in `dataDir`, or `durableStreamsUrl` if that is set
   */
  store?: StreamStore | undefined;
  /**
   * Directory of the embedded store, created with mode 0700.
   * @default '.durable-proxy'
   */
  dataDir?: string | undefined;
  /**
   * When the embedded store confirms a write: once it is on disk (survives a power failure), or once the
   * operating system has it (survives a crash of the process).
   * @default 'disk'
   */
  durability?: 'disk' | 'process' | undefined;
  /** Base URL of a Durable Streams server that stores the streams. */
  durableStreamsUrl?: string | undefined;
  /** Headers of every request to `durableStreamsUrl`, such as `{ authorization: 'Bearer …' }`. */
  durableStreamsHeaders?: Readonly<Record<string, string>> | undefined;

  /**
   * Seconds without a read or write after which a stream may be deleted.
   * @default 86_400 (one day)
   */
  streamTtlSeconds?: number | undefined;
  /**
   * Seconds for which a signed URL is valid.
   * @default 86_400 (one day)
   */
  urlExpirationSeconds?: number | undefined;
  /**
   * Maximum length of an answer in bytes. The part within the limit is kept, with outcome `too-large`.
   * @default 104_857_600 (100 MiB)
   */
  maxResponseBytes?: number | undefined;
  /**
   * Maximum bytes of all stored answers, across all processes that share the store, plus 1,024 for each stream.
   * Approximate: see docs/server.md. Over the limit, creates get 507 `STORAGE_QUOTA_EXCEEDED` and running
   * answers end with outcome `too-large`.
   * @default Infinity
   */
  maxStoredBytes?: number | undefined;
  /**
   * Maximum bytes of the stored answers of one subject, counted like `maxStoredBytes`.
   * @default Infinity
   */
  maxStoredBytesPerSubject?: number | undefined;
  /**
   * Maximum length of a request body in bytes. Over the limit: 413 `REQUEST_TOO_LARGE`, and the upstream is not
   * called.
   * @default 33_554_432 (32 MiB)
   */
  maxRequestBytes?: number | undefined;
  /**
   * Milliseconds in which the whole request body must arrive. After that: 400 `INVALID_REQUEST`, and the
   * upstream is not called.
   * @default 300_000 (5 minutes)
   */
  requestBodyTimeoutMs?: number | undefined;
  /**
   * Maximum length in bytes of an upstream's error body that is passed to the caller. Longer bodies are
   * truncated.
   * @default 65_536
   */
  maxErrorBytes?: number | undefined;
  /**
   * Maximum number of answers in progress in this process. Over the limit: 429 `TOO_MANY_STREAMS`.
   * @default 10_000
   */
  maxConcurrentStreams?: number | undefined;
  /**
   * Maximum number of answers in progress for one subject in this process. Over the limit: 429
   * `TOO_MANY_STREAMS`.
   * @default 100
   */
  maxConcurrentStreamsPerSubject?: number | undefined;
  /**
   * Milliseconds to wait for the upstream's response headers. After that: 504 `UPSTREAM_TIMEOUT`.
   * @default 60_000
   */
  upstreamHeadersTimeoutMs?: number | undefined;
  /**
   * Milliseconds to wait in total for the upstream's response headers if the create has an `Idempotency-Key`.
   * The caller gets 504 after `upstreamHeadersTimeoutMs`, and a retry attaches to the same upstream request.
   * @default 600_000
   */
  upstreamHeadersTotalTimeoutMs?: number | undefined;
  /**
   * Maximum milliseconds to wait for the upstream's headers if the create has `Prefer: respond-async`. After that, the
   * stream ends with outcome `refused` and code `UPSTREAM_TIMEOUT`.
   * @default 600_000 (10 minutes)
   */
  upstreamHeadersAsyncTimeoutMs?: number | undefined;
  /**
   * Maximum milliseconds between two chunks of the upstream's body. After that, the stream ends with outcome
   * `timeout`.
   * @default 600_000 (10 minutes)
   */
  upstreamInactivityTimeoutMs?: number | undefined;
  /**
   * Continues streams whose upstream broke, in this process or in another one. The first recovery that matches a response
   * is used. `[]` disables recovery.
   * @default [openaiResponsesRecovery(), geminiInteractionsRecovery()]
   */
  recovery?: readonly UpstreamRecovery[] | undefined;
  /**
   * Maximum milliseconds without a new event before the recovery of a stream is given up.
   * @default 120_000 (2 minutes)
   */
  recoveryTimeoutMs?: number | undefined;
  /**
   * Maximum milliseconds that an upstream may keep its connection open, without sending a byte, after the end that
   * the answer's own format defines. After that, the stream is closed as `complete`.
   * @default 2_000
   */
  upstreamLingerMs?: number | undefined;
  /**
   * `auto` reads the streaming formats of known providers: it detects truncated answers (outcome `truncated`) and
   * errors that the provider reported, and reports the usage. `off` disables this: every body that ends without an
   * error is `complete`, and no usage is reported.
   * @default 'auto'
   */
  completeness?: 'auto' | 'off' | undefined;
  /**
   * Milliseconds that an answer continues while no process has a reader of it. After that, the upstream is canceled and
   * the stream ends with outcome `aborted` and code `UNREAD`. A create may ask for less, or for no timeout, with
   * `Unread-Timeout`.
   * @default Infinity
   */
  unreadTimeoutMs?: number | undefined;
  /**
   * Maximum bytes in one catch-up or long-poll response.
   * @default 4_194_304 (4 MiB)
   */
  maxReadBytes?: number | undefined;
  /**
   * Maximum bytes of catch-up and long-poll responses that are buffered in this process for their clients.
   * Close to the limit, responses get smaller, down to 64 KiB; the client fetches the rest with its next read.
   * @default 268_435_456 (256 MiB)
   */
  maxReadBufferBytes?: number | undefined;
  /**
   * Milliseconds that a long-poll waits for new bytes. After that: 204.
   * @default 20_000
   */
  longPollTimeoutMs?: number | undefined;
  /**
   * Milliseconds between keep-alive comments of an idle SSE read.
   * @default 15_000
   */
  keepAliveMs?: number | undefined;
  /**
   * Milliseconds after which a reader that accepts no bytes is disconnected.
   * @default 120_000
   */
  readerStallTimeoutMs?: number | undefined;
  /**
   * Maximum number of reads in progress in this process, in any mode. Over the limit: 429 `TOO_MANY_READERS`.
   * @default 20_000
   */
  maxReaders?: number | undefined;
  /**
   * Maximum number of reads in progress of one stream in this process. Over the limit: 429 `TOO_MANY_READERS`.
   * @default 1_000
   */
  maxReadersPerStream?: number | undefined;

  /**
   * Allows upstream host names that resolve to private addresses. If false, a private address must be named
   * literally in the allowlist.
   * @default false
   */
  allowPrivateNetworks?: boolean | undefined;
  /**
   * An undici Dispatcher (version 7 or later) that sends the requests to upstreams, such as a `ProxyAgent`. Hosts
   * that only a wildcard allows are resolved and checked first, and the dispatcher gets the address. It must not
   * follow redirects, which would bypass the allowlist. The app closes it.
   * @default agents of the proxy, which use `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`
   */
  dispatcher?: UpstreamDispatcher | undefined;
  /**
   * Request headers that are not forwarded to the upstream, in addition to cookies and hop-by-hop headers:
   * names in any case, or prefixes such as `x-internal-*`. The list replaces the default list. To extend that
   * one, use `[...DEFAULT_DROP_REQUEST_HEADERS, 'x-internal-*']`.
   * @default headers that proxies, CDNs and platforms add
   */
  dropRequestHeaders?: readonly string[] | undefined;
  /**
   * Upstream response headers that clients receive, in addition to `Content-Type`: `'all'`, `'none'`, or a list of
   * names. Cookies, hop-by-hop headers and headers that describe the encoding are never included.
   * @default 'all'
   */
  exposeUpstreamHeaders?: ExposeUpstreamHeaders | undefined;
  /** Authenticates callers with the app's own session instead of service credentials. */
  authenticate?: Authenticate | undefined;
  /**
   * Changes the upstream request on the server, for example to add the provider's API key, so that no browser has it.
   */
  prepareUpstream?: PrepareUpstream | undefined;
  /**
   * Public URL of the mount, including its path.
   * @default `Location` is relative (`{mount}/{id}?…`)
   */
  publicUrl?: string | undefined;
  /**
   * Path of the mount, used in `Location`. Set it on `node:http`, and behind a reverse proxy that strips a part
   * of the path. '/' means no path.
   * @default the mount path that Express, connect or `@fastify/middie` reports
   */
  basePath?: string | undefined;
  /**
   * Options of the `cors` package, or false to send no CORS headers.
   * @default any origin, without credentials
   */
  cors?: CorsOptions | false | undefined;
  /**
   * Receives a signed POST for every stream that closes (Standard Webhooks 1.0).
   * @default no webhook
   */
  webhook?: WebhookOptions | undefined;
  /**
   * A logger with pino's methods `debug`, `info`, `warn` and `error`.
   * @default store failures, errors thrown by callbacks, refused upstream URLs and a short `jwtSecret` go to
   *   `console.error`, each at most once a minute; everything else is dropped
   */
  logger?: Logger | undefined;
  /**
   * Called for each typed event: see `ProxyEvent`. An exception that it throws is logged and has no other
   * effect.
   */
  onEvent?: OnEvent | undefined;
  /**
   * Called with the milliseconds of each append to the store. There may be thousands a second: only count them. Must
   * not throw.
   * @param ms milliseconds that the append took.
   */
  onAppend?: ((ms: number) => void) | undefined;
  /**
   * Observes creates, requests to upstreams, events and appends: `openTelemetry()` from `durable-proxy/opentelemetry`.
   * @default none
   */
  telemetry?: Telemetry | undefined;
}

/** Options of `createProxyServer`. */
export interface ProxyServerOptions extends DurableProxyOptions {
  /**
   * Port to listen on. 0 selects a free port, which `url` contains.
   * @default 4440
   */
  port?: number | undefined;
  /**
   * Host name or address to listen on.
   * @default 'localhost'
   */
  host?: string | undefined;
  /**
   * Milliseconds for which an idle connection stays open. The default exceeds the 60 s of most load balancers, which
   * would otherwise send requests over connections that are closing. Node's own default is 5,000.
   * @default 75_000
   */
  keepAliveTimeoutMs?: number | undefined;
  /**
   * Maximum bytes of a request's target and headers. Over the limit: 431 `REQUEST_HEADERS_TOO_LARGE`. Node's
   * own default is 16,384, which the cookies of a large site exceed.
   * @default 65_536
   */
  maxHeaderSize?: number | undefined;
  /**
   * Serves metrics in the text format of Prometheus at `GET /metrics`, for requests with the service secret.
   * @default false
   */
  metrics?: boolean | undefined;
  /**
   * Serves the operator's page at `/inspector`. Browsers ask for the service secret, as the password of any user.
   * @default false
   */
  inspector?: boolean | undefined;
}
