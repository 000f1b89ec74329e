import type { IncomingMessage } from 'node:http';
import type { Authenticate } from './auth/service.ts';
import type { OnEvent } from './shared/events.ts';
import type { CorsOptions } from './http/cors-options.ts';
import type { Logger } from './shared/logger.ts';
import type { MaybePromise } from './shared/maybe-promise.ts';
import type { UpstreamRecovery } from './recovery/types.ts';
import type { StreamStore } from './store/types.ts';
import type { WebhookOptions } from './webhooks/options.ts';
import type { ExposeUpstreamHeaders } from './upstream/response-headers.ts';

/** What `prepareUpstream` sees. `url` and `headers` may be changed in place; what comes out is checked again. */
export interface UpstreamDraft {
  url: URL;
  readonly method: string;
  headers: Headers;
  /** Who asks; undefined for the plain secret. */
  readonly subject: string | undefined;
  /**
   * What the request is for: the create of a stream, or a request of the option `recovery` that continues or stops the
   * upstream of one.
   */
  readonly purpose: 'create' | 'resume' | 'cancel';
  /** The request of the create. Undefined for other purposes: they have no caller. */
  readonly req: IncomingMessage | undefined;
}

/** Changes the request to the upstream before it is sent. */
export type PrepareUpstream = (
  draft: UpstreamDraft,
) => MaybePromise<void | { url?: URL | string; headers?: HeadersInit }>;

/** Options of `durableProxy` and `createProxyServer`. */
export interface DurableProxyOptions {
  /**
   * The service secret, and what signed URLs and service tokens are signed with. Several for rotation: the
   * first signs, all verify. Take at least 32 random bytes: `openssl rand -base64 32`.
   */
  jwtSecret: string | readonly string[];
  /**
   * Accepts `jwtSecret` itself as a credential. Default true. With false, servers use `deriveServiceSecret(jwtSecret)`
   * and the signing key never travels.
   */
  acceptJwtSecret?: boolean;
  /** Accepts service tokens of version 0.1, which have no type of their own. For one version. Default false. */
  acceptLegacyTokens?: boolean;
  /** Patterns of upstream URLs that may be called: `['https://api.openai.com/**']`. Default `[]`: none. */
  allowlist?: readonly string[];

  /** Where bytes lie. Default: the embedded store in `dataDir`, or `durableStreamsUrl` when that is given. */
  store?: StreamStore;
  /** Folder of the embedded store, made with mode 0700. Default `.durable-proxy`. */
  dataDir?: string;
  /** When the embedded store calls bytes safe: on `disk` (default), or with the `process`. */
  durability?: 'disk' | 'process';
  /** Base URL of a Durable Streams server to keep streams in. */
  durableStreamsUrl?: string;
  /** Headers of each request to it, such as `{ authorization: 'Bearer …' }`. */
  durableStreamsHeaders?: Readonly<Record<string, string>>;

  /** Seconds without a read or write after which a stream may vanish. Default 86,400 (a day). */
  streamTtlSeconds?: number;
  /** Seconds that a signed URL is good for. Default 86,400 (a day). */
  urlExpirationSeconds?: number;
  /** Longest answer, in bytes. What fitted is kept, outcome `too-large`. Default 104,857,600 (100 MiB). */
  maxResponseBytes?: number;
  /**
   * Bytes that all processes on the store keep of all answers, and 1,024 for each stream. Approximate: see
   * docs/server.md. Above: 507 `STORAGE_QUOTA_EXCEEDED`, and running answers end `too-large`. Default Infinity.
   */
  maxStoredBytes?: number;
  /** The same for the answers of one subject. Default Infinity. */
  maxStoredBytesPerSubject?: number;
  /** Longest request body, in bytes. Above: 413 `REQUEST_TOO_LARGE`, nothing sent. Default 33,554,432 (32 MiB). */
  maxRequestBytes?: number;
  /** Milliseconds for a request body to arrive. Then: 400 `INVALID_REQUEST`, nothing sent. Default 300,000 (5 minutes). */
  requestBodyTimeoutMs?: number;
  /** Longest body of an upstream error that is handed on, in bytes; cut behind it. Default 65,536. */
  maxErrorBytes?: number;
  /** Answers in flight in this process. Above: 429 `TOO_MANY_STREAMS`. Default 10,000. */
  maxConcurrentStreams?: number;
  /** Answers in flight for one subject in this process. Above: 429 `TOO_MANY_STREAMS`. Default 100. */
  maxConcurrentStreamsPerSubject?: number;
  /** Milliseconds to wait for an upstream's headers. Then: 504 `UPSTREAM_TIMEOUT`. Default 60,000. */
  upstreamHeadersTimeoutMs?: number;
  /**
   * Milliseconds to wait for an upstream's headers in all, if the create has an `Idempotency-Key`: the caller gets
   * its 504 after `upstreamHeadersTimeoutMs`, and a retry attaches to the same upstream request. Default 600,000.
   */
  upstreamHeadersTotalTimeoutMs?: number;
  /**
   * Milliseconds to wait for an upstream's headers, if the create has `Prefer: respond-async`: no connection waits.
   * Then: outcome `refused`, code `UPSTREAM_TIMEOUT`. Default 600,000 (10 minutes).
   */
  upstreamHeadersAsyncTimeoutMs?: number;
  /** Milliseconds of silence in an upstream's body. Then: outcome `timeout`. Default 600,000 (10 minutes). */
  upstreamInactivityTimeoutMs?: number;
  /**
   * Continues streams whose upstream broke, in this process or in another one. The first recovery that matches a response
   * is used. Default `[openaiResponsesRecovery(), geminiInteractionsRecovery()]`; `[]` disables it.
   */
  recovery?: readonly UpstreamRecovery[];
  /** Milliseconds without a new event after which a stream that broke is given up. Default 120,000 (2 minutes). */
  recoveryTimeoutMs?: number;
  /**
   * Milliseconds that an upstream may keep its connection open, without a byte, after the end that the answer's own
   * format has. Then the stream is closed as `complete`. Default 2,000.
   */
  upstreamLingerMs?: number;
  /**
   * `auto` (default) reads the streaming formats of known providers, to tell answers that are truncated (outcome
   * `truncated`) and errors that the provider reported, and to report the usage. `off` reads none of them: every body
   * that ends cleanly is `complete`, and there is no usage.
   */
  completeness?: 'auto' | 'off';
  /** Most bytes of one catch-up or long-poll answer. Default 4,194,304 (4 MiB). */
  maxReadBytes?: number;
  /**
   * Bytes of catch-up and long-poll responses in this process that their clients have not taken yet. Near it, responses
   * get smaller, down to 64 KiB; the rest comes with the next read. Default 268,435,456 (256 MiB).
   */
  maxReadBufferBytes?: number;
  /** Milliseconds that a long-poll waits for bytes. Then: 204. Default 20,000. */
  longPollTimeoutMs?: number;
  /** Milliseconds between the comments that keep a silent SSE read alive. Default 15,000. */
  keepAliveMs?: number;
  /** Milliseconds after which a reader that accepts no bytes is disconnected. Default 120,000. */
  readerStallTimeoutMs?: number;
  /** Reads in progress in this process, in any mode. Above: 429 `TOO_MANY_READERS`. Default 20,000. */
  maxReaders?: number;
  /** Reads in progress of one stream in this process. Above: 429 `TOO_MANY_READERS`. Default 1,000. */
  maxReadersPerStream?: number;

  /** Let names that resolve to private addresses be upstreams. Default false: only hosts named literally. */
  allowPrivateNetworks?: boolean;
  /**
   * Request headers that do not go upstream, beside cookies and those of one hop: names in any case, or beginnings
   * of names such as `x-internal-*`. The list replaces the default one: extend that with
   * `[...DEFAULT_DROP_REQUEST_HEADERS, 'x-internal-*']`. Default: what proxies, CDNs and platforms add.
   */
  dropRequestHeaders?: readonly string[];
  /**
   * Which headers of the upstream's response clients get, beside `Content-Type`: `'all'`, `'none'`, or a list of names.
   * Never cookies, headers of one hop, nor those that describe the encoding. Default `'all'`.
   */
  exposeUpstreamHeaders?: ExposeUpstreamHeaders;
  /** Puts the app's own session where the service secret stands. */
  authenticate?: Authenticate;
  /** Adds the provider's key, or anything else, on the server, so that no browser ever holds it. */
  prepareUpstream?: PrepareUpstream;
  /** The public URL of the mount, path included. Default: `Location` is relative (`{mount}/{id}?…`). */
  publicUrl?: string;
  /**
   * The path of the mount, which `Location` begins with. Default: as Express, connect and `@fastify/middie` tell it.
   * Necessary on `node:http`, and behind a reverse proxy that removes a part of the path. '/' if there is none.
   */
  basePath?: string;
  /** Options of the `cors` package, or false for no CORS headers. Default: any origin, no credentials. */
  cors?: CorsOptions | false;
  /** Receives a signed POST for every stream that closes (Standard Webhooks 1.0). Default: none. */
  webhook?: WebhookOptions;
  /** Anything with pino's `debug`, `info`, `warn` and `error`. Default: faults of the store and of these functions, and
   * refused upstream URLs, go to `console.error`, the same one once a minute; everything else is silent. */
  logger?: Logger;
  /** Told of what happens, typed: see `ProxyEvent`. What it throws is logged and goes no further. */
  onEvent?: OnEvent;
}

/** Options of `createProxyServer`. */
export interface ProxyServerOptions extends DurableProxyOptions {
  /** Port to listen on. 0 takes a free one, which `url` tells. Default 4440. */
  port?: number;
  /** Host name or address to listen on. Default "localhost". */
  host?: string;
  /**
   * Milliseconds that an idle connection stays open. Default 75,000: longer than the 60 s of most load balancers, which
   * otherwise send requests into connections that are closing. Node's own default is 5,000.
   */
  keepAliveTimeoutMs?: number;
  /**
   * Bytes of a request's target and headers. Above: 431 `REQUEST_HEADERS_TOO_LARGE`. Default 65,536; Node's own default
   * is 16,384, which the cookies of a large site exceed.
   */
  maxHeaderSize?: number;
}
