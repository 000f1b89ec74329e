import * as protocol from '../../protocol/headers.ts';
import { ConfigurationError } from '../shared/errors.ts';
import { headerFields } from '../shared/header-fields.ts';

/** Every header name of the protocol: all strings that `protocol/headers.ts` exports, except preferences. */
const OWN_HEADERS = Object.values(protocol).filter(
  (name) => typeof name === 'string' && !protocol.PREFERENCES.includes(name),
) as string[];

/** Names, in lower case, of headers that are never forwarded. */
const NEVER_FORWARDED: ReadonlySet<string> = new Set([
  ...OWN_HEADERS.map((name) => name.toLowerCase()),

  // Hop-by-hop (RFC 9110, section 7.6.1; RFC 9113, section 3.2.1). `Connection` names more.
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
  'via',

  // Generated for the upstream request.
  'authorization',
  'content-length',
  'host',
  // The upstream would compress, and the proxy would have to decode.
  'accept-encoding',

  // Added by browsers about the page and its user. `sec-*` and `proxy-*` are matched by prefix.
  'cookie',
  'cookie2',
  'origin',
  'referer',
]);
const NEVER_FORWARDED_PREFIX = /^(?:sec-|proxy-)/;

/**
 * Default of the option `dropRequestHeaders`: headers that proxies, CDNs and platforms add, such as the user's address
 * and identity, or another path to serve. Only headers that intermediaries set are listed. Headers that callers send to
 * such platforms (`cf-access-client-id`, `x-vercel-protection-bypass`, `fly-prefer-region`) are forwarded.
 */
export const DEFAULT_DROP_REQUEST_HEADERS: readonly string[] = Object.freeze([
  // Any reverse proxy, nginx's auth_request, oauth2-proxy, IIS.
  ...['client-ip', 'forwarded', 'x-auth-request-*', 'x-client-ip', 'x-cluster-client-ip', 'x-forwarded*'],
  ...['x-host', 'x-http-host-override', 'x-original-for*', 'x-original-host', 'x-original-method'],
  ...['x-original-proto', 'x-original-remote-addr', 'x-original-ur*', 'x-real-ip', 'x-rewrite-url'],
  // Akamai, Cloudflare, CloudFront, Fastly.
  ...['akamai-origin-hop', 'cdn-loop', 'cf-access-authenticated-user-*', 'cf-access-jwt-assertion'],
  ...['cf-bot-*', 'cf-client-cert-*', 'cf-connecting-*', 'cf-ew-via', 'cf-ip*', 'cf-ja3-*', 'cf-ja4*'],
  ...['cf-metro-code', 'cf-postal-code', 'cf-pseudo-ipv4', 'cf-ray', 'cf-region*', 'cf-request-id'],
  ...['cf-threat-score', 'cf-timezone', 'cf-verified-bot*', 'cf-visitor', 'cf-warp-tag-id', 'cf-worker'],
  ...[
    'cloudfront-*',
    'fastly-client*',
    'fastly-ff',
    'fastly-ssl',
    'true-client-ip',
    'x-akamai-*',
    'x-amz-cf-id',
  ],
  // AWS load balancers, Azure, DigitalOcean, Envoy, Google Cloud.
  ...[
    'do-connecting-ip',
    'x-amzn-mtls-*',
    'x-amzn-oidc-*',
    'x-amzn-tls-*',
    'x-amzn-trace-id',
    'x-appengine-*',
  ],
  ...[
    'x-appservice-proto',
    'x-arr-*',
    'x-azure-clientip',
    'x-azure-fdid',
    'x-azure-ref',
    'x-azure-requestchain',
  ],
  ...['x-azure-socketip', 'x-cloud-trace-context', 'x-envoy-attempt-count', 'x-envoy-decorator-operation'],
  ...[
    'x-envoy-downstream-*',
    'x-envoy-expected-rq-timeout-ms',
    'x-envoy-external-address',
    'x-envoy-internal',
  ],
  ...['x-envoy-ip-tags', 'x-envoy-original-*', 'x-envoy-peer-metadata*', 'x-goog-authenticated-user-*'],
  ...[
    'x-goog-iap-*',
    'x-ms-client-principal*',
    'x-ms-token-*',
    'x-site-deployment-id',
    'x-waws-unencoded-url',
  ],
  // Fly.io, Heroku, Netlify, Railway, Render, Vercel.
  ...[
    'fly-client-ip',
    'fly-dispatch-start',
    'fly-forwarded-*',
    'fly-region',
    'fly-replay-src',
    'fly-request-id',
  ],
  ...['fly-traceparent', 'fly-tracestate', 'rndr-id', 'x-heroku-*', 'x-nf-account-*', 'x-nf-client-*'],
  ...['x-nf-deploy-*', 'x-nf-geo', 'x-nf-request-id', 'x-nf-site-*', 'x-railway-*', 'x-request-start'],
  ...[
    'x-vercel-deployment-url',
    'x-vercel-forwarded-for',
    'x-vercel-id',
    'x-vercel-internal-*',
    'x-vercel-ip-*',
  ],
  ...[
    'x-vercel-ja4-digest',
    'x-vercel-oidc-token',
    'x-vercel-proxied-for',
    'x-vercel-proxy-*',
    'x-vercel-sc-*',
  ],
]);

/**
 * Returns the headers for the upstream, from `req.rawHeaders`. Repeated fields are separate and in order.
 * @param authorization the value of `Upstream-Authorization`, which becomes `Authorization`.
 */
export type RequestHeaders = (
  rawHeaders: readonly string[],
  authorization: string | undefined,
) => [string, string][];

/**
 * Creates the filter of request headers. It removes hop-by-hop fields and those that `Connection` names, cookies and
 * other fields that browsers add, protocol headers, and those that `dropped` names.
 * @param dropped names in any case. A name that ends in `*` matches every name with this prefix.
 * @throws ConfigurationError for an invalid header name.
 */
export function requestHeaders(dropped: readonly string[]): RequestHeaders {
  const names = new Set<string>();
  const prefixes: string[] = [];
  for (const pattern of dropped) {
    const [, name = '', star] = /^([!#$%&'+\-.^_`|~0-9a-z]+)(\*?)$/i.exec(pattern) ?? [];
    if (name === '') {
      throw new ConfigurationError(
        `dropRequestHeaders contains ${JSON.stringify(pattern)}, which is not a header name. Example: dropRequestHeaders: ['x-internal-*', 'x-real-ip']`,
      );
    }
    if (star === '*') prefixes.push(name.toLowerCase());
    else names.add(name.toLowerCase());
  }
  const isDropped = (name: string) =>
    NEVER_FORWARDED.has(name) ||
    NEVER_FORWARDED_PREFIX.test(name) ||
    names.has(name) ||
    prefixes.some((prefix) => name.startsWith(prefix));

  return (rawHeaders, authorization) => {
    const fields = headerFields(rawHeaders);
    const connection = fields.filter(([name]) => name.toLowerCase() === 'connection');
    const ofThisHop = new Set(connection.flatMap(([, value]) => value.toLowerCase().split(/[\s,]+/)));
    const forwarded = fields.filter(([name]) => {
      const lower = name.toLowerCase();
      // HTTP/2 has pseudo-headers, such as `:path` (RFC 9113, section 8.3).
      return !lower.startsWith(':') && !isDropped(lower) && !ofThisHop.has(lower);
    });
    if (authorization !== undefined) forwarded.push(['Authorization', authorization]);
    return forwarded;
  };
}

/** Headers of an upstream's error that are sent to the caller: type, retry time, rate limits and request ids. */
const ERROR_HEADERS =
  /^(?:content-type|retry-after|retry-after-ms|x-should-retry|request-id|x-request-id|(?:x-|anthropic-)?ratelimit(?:-.*)?)$/;

/** Returns the headers of an upstream's error that are sent to the caller, with unchanged values. */
export function upstreamErrorHeaders(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && ERROR_HEADERS.test(name.toLowerCase())) kept[name] = value;
  }
  return kept;
}
