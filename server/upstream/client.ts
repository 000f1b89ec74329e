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
  /** Let names and addresses be private although no pattern names the host literally. */
  allowPrivateNetworks: boolean;
  /** Milliseconds for everything before the answer's headers: DNS, connection, TLS, sending, waiting. */
  headersTimeoutMs: number;
  /** Milliseconds of silence in a body, not counting time in which nobody reads. Kept to within a second. */
  inactivityTimeoutMs: number;
  /** Sends the requests instead of agents of the client. Its owner closes it. */
  dispatcher?: UpstreamDispatcher | undefined;
  /** Forward proxies that lead to upstreams. Ignored with a `dispatcher`. */
  proxies?: ForwardProxies | undefined;
  /** How names are resolved. Default: `dns.lookup`. */
  lookup?: LookupFunction | undefined;
}

export interface UpstreamRequest {
  /** As the allowlist gave it. */
  readonly url: URL;
  /** As the allowlist gave it: private addresses are fine. */
  readonly literalHost: boolean;
  readonly method: string;
  readonly headers: Iterable<readonly [string, string]>;
  readonly body: Uint8Array | undefined;
  /** Overrides `headersTimeoutMs` of the client for this request. */
  readonly headersTimeoutMs?: number;
  /** Stops the request, and its body later. */
  readonly signal: AbortSignal;
}

export interface UpstreamAnswer {
  readonly status: number;
  /** Names in lower case; repeated fields joined (RFC 9110, section 5.3), of `content-type` the first. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /**
   * The body, decoded. A failure comes as its error after every byte that arrived before, with the signal's
   * reason when that was the cause; `classifyBodyError` tells silence from the rest. Whoever does not read it
   * to the end destroys it, and the connection with it.
   */
  readonly body: Readable;
}

export interface UpstreamClient {
  /**
   * Sends a request and gives the answer when its headers are there, whatever its status; redirects are not
   * followed.
   * @throws ProxyError `UPSTREAM_NOT_ALLOWED` for a private address, without a connection; `UPSTREAM_TIMEOUT`;
   * `UPSTREAM_ERROR` when there is no answer; `SHUTTING_DOWN` after `close`. Or the signal's reason.
   */
  request(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** Ends every request and connection. */
  close(): Promise<void>;
}

/** Milliseconds after which a host that takes no connection counts as gone. */
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
      // No lookup is made for what is an address already.
      if (!anyAddress && isIP(host) !== 0 && isPrivateAddress(host)) throw privateAddress(host);
      const send = anyAddress ? outbound.open : outbound.guarded;
      return decode(await exchange(send, { headersTimeoutMs, ...request, signal }));
    },
    async close() {
      const destroyed = outbound.destroy();
      closing.abort(shuttingDown());
      await destroyed;
    },
  };
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: UpstreamBody;
}

function exchange(send: Send, request: UpstreamRequest & { headersTimeoutMs: number }): Promise<RawAnswer> {
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
      // While undici connects there is no controller yet, and the caller does not wait for one.
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
            cancel: () => started.abort(new Error('nobody reads the body')),
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

function decode({ status, headers, body }: RawAnswer): UpstreamAnswer {
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

/** Repeated fields as lists: undici's agents for proxies lose all but the last one in a flat list. */
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

/** What a caller is told: the host and a code, nothing of path, query or headers. */
function requestError(url: URL, error: Error): ProxyError {
  if (error instanceof ProxyError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  // For the log, without what undici attaches: a parser's error holds bytes of the answer.
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
