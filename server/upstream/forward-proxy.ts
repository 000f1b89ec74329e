import type { LookupFunction } from 'node:net';
import { EnvHttpProxyAgent, Pool, type Agent, type Dispatcher } from 'undici/index.js';
import { ConfigurationError, ProxyError } from '../shared/errors.ts';
import { checkedAddress } from './lookup.ts';

/** Forward proxies of the network that the process runs in. */
export interface ForwardProxies {
  /** Absolute URL, possibly with credentials. Empty if there is none. */
  readonly httpProxy: string;
  /** Like `httpProxy`, for https upstreams. If it is empty, `httpProxy` is used. */
  readonly httpsProxy: string;
  /** Hosts that are reached without a proxy, as `NO_PROXY` lists them. */
  readonly noProxy: string;
}

/** Names of this machine, which a forward proxy would resolve to itself. */
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/**
 * Reads `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in lower case first, as curl does. Returns undefined if no proxy is
 * set, or if `NO_PROXY` is `*`.
 * @throws ConfigurationError if a value is not the URL of an HTTP proxy. The message never contains the URL, which
 *   may contain credentials.
 */
export function forwardProxies(env: NodeJS.ProcessEnv): ForwardProxies | undefined {
  const read = (name: string) => (env[name.toLowerCase()] ?? env[name] ?? '').trim();
  const httpProxy = proxyUrl('HTTP_PROXY', read('HTTP_PROXY'));
  const httpsProxy = proxyUrl('HTTPS_PROXY', read('HTTPS_PROXY'));
  const noProxy = read('NO_PROXY');
  if ((httpProxy === '' && httpsProxy === '') || noProxy === '*') return undefined;
  return { httpProxy, httpsProxy, noProxy: [noProxy, ...LOOPBACK].join(' ') };
}

/** Returns the URL with a scheme, which curl and others allow to be absent. */
function proxyUrl(name: string, value: string): string {
  if (value === '') return '';
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  try {
    const url = new URL(text);
    // `ProxyAgent` decodes both, and a malformed escape would only be found there.
    decodeURIComponent(url.username + url.password);
    if (/^https?:$/.test(url.protocol) && url.hostname !== '') return url.href;
  } catch {
    // Without the cause: its message may contain the URL.
  }
  throw new ConfigurationError(
    `${name} must be the http or https URL of a forward proxy. Example: ${name}=http://proxy.example.com:3128`,
  );
}

export interface ForwardAgentOptions {
  readonly proxies: ForwardProxies;
  /** Options for connecting to the proxy, or to the upstream if no proxy is used. */
  readonly connect: Agent.Options['connect'] & object;
  /** Milliseconds within which a proxy must connect to the upstream. */
  readonly timeoutMs: number;
  /** Resolves and checks the names of upstreams before the proxy gets them. Undefined: the proxy resolves the names. */
  readonly guard: LookupFunction | undefined;
  readonly agent: Agent.Options;
}

/** Creates an agent that reaches upstreams through the forward proxies, with CONNECT for https and http. */
export function forwardAgent(options: ForwardAgentOptions): EnvHttpProxyAgent {
  const { proxies, connect, timeoutMs, guard, agent } = options;
  // The guard is for names of upstreams. The operator chose the proxy, which usually has a private address.
  const { lookup: _lookup, ...connectProxy } = connect as { lookup?: LookupFunction };
  return new EnvHttpProxyAgent({
    ...agent,
    ...proxies,
    connect,
    proxyTls: connectProxy,
    requestTls: connectProxy,
    clientFactory: (proxy, init) =>
      new TunnelPool(proxy, { ...init, headersTimeout: timeoutMs, bodyTimeout: 0 }, guard),
  });
}

/** Connections to a forward proxy. Each becomes a tunnel (RFC 9110, section 9.3.6). */
class TunnelPool extends Pool {
  readonly #proxy: string;
  readonly #guard: LookupFunction | undefined;

  constructor(proxy: URL, options: Pool.Options, guard: LookupFunction | undefined) {
    super(proxy, options);
    this.#proxy = proxy.host;
    this.#guard = guard;
  }

  /**
   * With a guard, the tunnel leads to an address that the guard has accepted. If it led to the name, the proxy would
   * resolve that again, and might get another address.
   */
  override async connect(
    options: Omit<Dispatcher.ConnectOptions, 'origin'>,
  ): Promise<Dispatcher.ConnectData> {
    const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(options.path) ?? [];
    const target = this.#guard
      ? `${bracketed(await checkedAddress(host, this.#guard))}:${port}`
      : options.path;
    // `ProxyAgent` passes an object.
    const headers = { ...(options.headers as Record<string, string>), host: target };
    let tunnel;
    try {
      tunnel = await super.connect({ ...options, path: target, headers });
    } catch (error) {
      throw this.#failure(options.path, error as NodeJS.ErrnoException);
    }
    if (tunnel.statusCode === 200) return tunnel;
    tunnel.socket.on('error', () => undefined).destroy();
    throw this.#error(
      'UPSTREAM_ERROR',
      `The forward proxy refused to connect to ${options.path}`,
      String(tunnel.statusCode),
    );
  }

  #failure(authority: string, error: NodeJS.ErrnoException): Error {
    const code = error.code ?? error.name;
    switch (code) {
      case 'UND_ERR_DESTROYED':
      case 'UND_ERR_CLOSED':
        return error;
      case 'UND_ERR_CONNECT_TIMEOUT':
      case 'ETIMEDOUT':
        return this.#error('UPSTREAM_TIMEOUT', 'The forward proxy accepted no connection in time', code);
      case 'UND_ERR_HEADERS_TIMEOUT':
        return this.#error(
          'UPSTREAM_TIMEOUT',
          `The forward proxy did not connect to ${authority} in time`,
          code,
        );
      default:
        return this.#error(
          'UPSTREAM_ERROR',
          `The forward proxy cannot be reached, so neither can ${authority}`,
          code,
        );
    }
  }

  /** Puts the proxy's host into the cause only, for the log: callers need not know the network. */
  #error(code: 'UPSTREAM_ERROR' | 'UPSTREAM_TIMEOUT', message: string, detail: string): ProxyError {
    const cause = Object.assign(new Error(`forward proxy ${this.#proxy}: ${detail}`), { code: detail });
    return new ProxyError(code, `${message} (${detail})`, { cause });
  }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
