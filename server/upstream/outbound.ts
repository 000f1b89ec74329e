import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici/index.js';
import { forwardAgent, type ForwardProxies } from './forward-proxy.ts';
import { checkedAddress, guardLookup } from './lookup.ts';

/** An undici Dispatcher, version 7 or later, or any object with its `dispatch`. */
export type UpstreamDispatcher = Pick<Dispatcher, 'dispatch'>;

/** Sends a request. `fail` is called instead of the handler if the request does not reach the dispatcher. */
export type Send = (
  options: Dispatcher.DispatchOptions,
  handler: Dispatcher.DispatchHandler,
  fail: (error: Error) => void,
) => void;

/**
 * Two senders, each with its own connections: a guarded request must not use a connection to a private address that an
 * unguarded one has opened.
 */
export interface Outbound {
  /** Sends to any address. */
  readonly unguarded: Send;
  /**
   * Sends to public addresses only. For others it fails with ProxyError `UPSTREAM_NOT_ALLOWED`, without a connection.
   */
  readonly guarded: Send;
  /** Cancels all requests and closes all connections, except those of a dispatcher that was passed in. */
  destroy(): Promise<void>;
}

export interface OutboundOptions {
  readonly dispatcher?: UpstreamDispatcher | undefined;
  readonly proxies?: ForwardProxies | undefined;
  readonly lookup: LookupFunction;
  /** Maximum milliseconds to connect. */
  readonly connectTimeoutMs: number;
  /** Maximum milliseconds between two chunks of a body. */
  readonly bodyTimeoutMs: number;
  /** Ends connections that are being opened, which `destroy` of undici leaves to their timeout. */
  readonly signal: AbortSignal;
}

/**
 * Milliseconds for each address of a host, before the next one is tried. Node's default of 250 is less than a TCP
 * handshake may take over a long distance or after one lost packet. If the other addresses fail too, as IPv6 addresses
 * do on many networks, the request then fails although the upstream can be reached.
 * @see https://github.com/nodejs/node/issues/54359
 */
const ADDRESS_TIMEOUT_MS = 2_500;

/** Creates the senders: directly, through the forward proxies of the network, or through a given dispatcher. */
export function createOutbound(options: OutboundOptions): Outbound {
  const { dispatcher, lookup, bodyTimeoutMs } = options;
  const guard = guardLookup(lookup);
  if (dispatcher) {
    // The dispatcher opens the connections, so the timeouts are passed with each request.
    const given: UpstreamDispatcher = {
      dispatch: (request, handler) =>
        dispatcher.dispatch({ ...request, headersTimeout: 0, bodyTimeout: bodyTimeoutMs }, handler),
    };
    return { unguarded: through(given), guarded: pinned(given, guard), destroy: async () => undefined };
  }
  const unguarded = agentOf(options, undefined);
  const guarded = agentOf(options, guard);
  return {
    unguarded: through(unguarded),
    guarded: through(guarded),
    destroy: async () => void (await Promise.all([unguarded.destroy(), guarded.destroy()])),
  };
}

function agentOf(options: OutboundOptions, guard: LookupFunction | undefined): Dispatcher {
  const { proxies, lookup, connectTimeoutMs, bodyTimeoutMs, signal } = options;
  const connect = {
    lookup: guard ?? lookup,
    timeout: connectTimeoutMs,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ADDRESS_TIMEOUT_MS,
    signal,
  };
  // The timeout for headers begins with the call, undici's with a connection.
  const agent = { headersTimeout: 0, bodyTimeout: bodyTimeoutMs };
  if (!proxies) return new Agent({ ...agent, connect });
  return forwardAgent({ proxies, connect, timeoutMs: connectTimeoutMs, guard, agent });
}

function through(dispatcher: UpstreamDispatcher): Send {
  return (options, handler, fail) => {
    try {
      dispatcher.dispatch(options, handler);
    } catch (error) {
      fail(error as Error);
    }
  };
}

/**
 * Sends to an address that the guard has accepted, because a dispatcher that gets a name resolves it again. The header
 * `Host`, from which undici also takes the name for TLS, stays the upstream's.
 */
function pinned(dispatcher: UpstreamDispatcher, guard: LookupFunction): Send {
  const send = through(dispatcher);
  return (options, handler, fail) => {
    const url = new URL(options.origin ?? '');
    const { host } = url;
    checkedAddress(url.hostname, guard).then((address) => {
      url.hostname = address.includes(':') ? `[${address}]` : address;
      const headers = { ...(options.headers as Record<string, string[]>), host };
      send({ ...options, origin: url.origin, headers }, handler, fail);
    }, fail);
  };
}
