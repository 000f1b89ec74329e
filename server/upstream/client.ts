import { lookup as systemLookup } from 'node:dns';
import { setMaxListeners } from 'node:events';
import { isIP, type LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici/index.js';
import { ProxyError } from '../shared/errors.ts';
import { isPrivateAddress } from './addresses.ts';
import { decodeBody, decoderOf, discardBody, UpstreamBody } from './body.ts';
import type { ForwardProxies } from './forward-proxy.ts';
import { privateAddress } from './lookup.ts';
import { createOutbound, type Send, type UpstreamDispatcher } from './outbound.ts';
import { comparableHost } from './pattern.ts';

export { classifyBodyError, discardBody, readErrorBody } from './body.ts';

export interface UpstreamClientOptions {
  /** Allows private addresses also for hosts that no pattern names literally. */
  allowPrivateNetworks: boolean;
  /** Maximum milliseconds until the response's headers, including DNS, connection, TLS and sending the request. */
  headersTimeoutMs: number;
  /**
   * Maximum milliseconds between two chunks of a body, not counting time in which it is paused. Accurate to one second.
   */
  inactivityTimeoutMs: number;
  /** Sends the requests instead of agents of the client. Its owner closes it. */
  dispatcher?: UpstreamDispatcher | undefined;
  /** Forward proxies for requests to upstreams. Ignored with a `dispatcher`. */
  proxies?: ForwardProxies | undefined;
  /** Resolves host names. Default: `dns.lookup`. */
  lookup?: LookupFunction | undefined;
}

export interface UpstreamRequest {
  /** The URL as returned by the allowlist. */
  readonly url: URL;
  /** True if the allowlist names the host literally: private addresses are then allowed. */
  readonly literalHost: boolean;
  readonly method: string;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: Uint8Array | undefined;
  /** Overrides `headersTimeoutMs` of the client for this request. */
  readonly headersTimeoutMs?: number;
  /** Cancels the request or, later, its body. */
  readonly signal: AbortSignal;
}

export interface UpstreamResponse {
  readonly status: number;
  /**
   * Names are in lower case. Repeated fields are joined (RFC 9110, section 5.3); of `content-type`, the first is used.
   */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /**
   * The decoded body. Its error follows all bytes received before, and is the signal's reason if that was the cause.
   * `classifyBodyError` distinguishes timeouts from other failures. A consumer that does not read the body to its end
   * must destroy it, which closes the connection.
   */
  readonly body: Readable;
}

export interface UpstreamClient {
  /**
   * Sends a request and resolves with the response once its headers have arrived, whatever its status. Does not follow
   * redirects.
   * @throws ProxyError `UPSTREAM_NOT_ALLOWED` for a private address, without a connection; `UPSTREAM_TIMEOUT`;
   * `UPSTREAM_ERROR` if there is no response; `SHUTTING_DOWN` after `close`. Or the signal's reason.
   */
  request(request: UpstreamRequest): Promise<UpstreamResponse>;
  /** Cancels all requests and closes all connections. */
  close(): Promise<void>;
}

/** Milliseconds after which an attempt to connect fails. */
const CONNECT_TIMEOUT_MS = 10_000;

export function createUpstreamClient(options: UpstreamClientOptions): UpstreamClient {
  const { allowPrivateNetworks, headersTimeoutMs, dispatcher } = options;
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const outbound = createOutbound({
    dispatcher,
    proxies: options.proxies,
    lookup: options.lookup ?? systemLookup,
    connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, headersTimeoutMs),
    bodyTimeoutMs: options.inactivityTimeoutMs,
    signal: closing.signal,
  });

  return {
    async request(request) {
      // Requests of our own agents end with the agents.
      const signal = dispatcher ? AbortSignal.any([closing.signal, request.signal]) : request.signal;
      signal.throwIfAborted();
      const host = comparableHost(request.url.hostname);
      const anyAddress = request.literalHost || allowPrivateNetworks;
      // undici does not look up literal addresses, so they are checked here.
      if (!anyAddress && isIP(host) !== 0 && isPrivateAddress(host)) throw privateAddress(host);
      const send = anyAddress ? outbound.unguarded : outbound.guarded;
      return decode(await exchange(send, { headersTimeoutMs, ...request, signal }));
    },
    async close() {
      const destroyed = outbound.destroy();
      closing.abort(shuttingDown());
      await destroyed;
    },
  };
}

interface RawResponse {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: UpstreamBody;
}

function exchange(send: Send, request: UpstreamRequest & { headersTimeoutMs: number }): Promise<RawResponse> {
  const { url, method, signal, headersTimeoutMs } = request;
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let body: UpstreamBody | undefined;
    let stopped: { reason: Error } | undefined;

    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const stop = (reason: Error) => {
      settle();
      stopped = { reason };
      // While undici connects, there is no controller yet, and the caller must not wait for one.
      controller?.abort(reason);
      reject(reason);
    };
    const onAbort = () => stop(signal.reason as Error);
    const timer = setTimeout(() => stop(headersTimeout(url, headersTimeoutMs)), headersTimeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });

    const fail = (error: Error) => {
      settle();
      if (body) body.fail(error);
      else reject(stopped ? stopped.reason : requestError(url, error));
    };

    send(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: grouped(request.headers),
        body: request.body ?? null,
      },
      {
        onRequestStart(started) {
          controller = started;
          if (stopped) started.abort(stopped.reason);
        },
        onResponseStart(started, status, rawHeaders) {
          if (status < 200) return;
          clearTimeout(timer);
          body = new UpstreamBody({
            resume: () => started.resume(),
            pause: () => started.pause(),
            cancel: () => started.abort(new Error('the body was discarded')),
          });
          resolve({ status, headers: joined(rawHeaders), body });
        },
        onResponseData(_, chunk) {
          body?.receive(chunk);
        },
        onResponseEnd() {
          settle();
          body?.complete();
        },
        onResponseError(_, error) {
          fail(error);
        },
      },
      fail,
    );
  });
}

function decode({ status, headers, body }: RawResponse): UpstreamResponse {
  const { 'content-encoding': coding, 'content-length': _encodedLength, ...rest } = headers;
  let decoder;
  try {
    decoder = decoderOf(coding);
  } catch (error) {
    discardBody(body);
    throw error;
  }
  if (decoder === undefined) return { status, headers, body };
  return { status, headers: rest, body: decodeBody(body, decoder) };
}

/** Groups repeated fields into lists: undici's agents for proxies drop all but the last one of a flat list. */
function grouped(headers: Iterable<readonly [string, string]>): Record<string, string[]> {
  const fields = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of headers) (fields[name] ??= []).push(value);
  return fields;
}

function joined(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const values = [value].flat();
    flat[name] = name === 'content-type' ? (values[0] ?? '') : values.join(', ');
  }
  return flat;
}

function headersTimeout(url: URL, ms: number): ProxyError {
  return new ProxyError('UPSTREAM_TIMEOUT', `${url.host} sent no headers within ${ms} ms`);
}

/**
 * Returns the error shown to callers. It contains the host and an error code only, never the path, query or headers.
 */
function requestError(url: URL, error: Error): ProxyError {
  if (error instanceof ProxyError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  // For the log, without properties that undici adds: a parser error contains bytes of the response.
  const cause = Object.assign(new Error(error.message || code), { code });
  switch (code) {
    case 'UND_ERR_DESTROYED':
    case 'UND_ERR_CLOSED':
      return shuttingDown();
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return new ProxyError('UPSTREAM_TIMEOUT', `${url.host} accepted no connection in time (${code})`, {
        cause,
      });
    default:
      return new ProxyError('UPSTREAM_ERROR', `Request to ${url.host} failed (${code})`, { cause });
  }
}

function shuttingDown(): ProxyError {
  return new ProxyError('SHUTTING_DOWN', 'The proxy is shutting down', { headers: { 'Retry-After': '1' } });
}
