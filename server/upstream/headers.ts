import * as names from '../../protocol/headers.ts';

const OWN_HEADERS = Object.values(names).filter(
  (name) => typeof name === 'string' && !names.PREFERENCES.includes(name),
) as string[];

/** Names, in lower case, that are for this connection or for this proxy, and not for the upstream. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  ...OWN_HEADERS.map((name) => name.toLowerCase()),

  // Of one hop only (RFC 9110, section 7.6.1; RFC 9113, section 3.2.1). `Connection` names more.
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

  // Made anew for the upstream.
  'authorization',
  'content-length',
  'host',
  // The upstream would compress what we then decode.
  'accept-encoding',

  // What a browser adds about the page and its user.
  'cookie',
  'cookie2',
  'origin',
  'referer',

  // What proxies, CDNs and platforms add: the user's address and identity, or another path to serve.
  'cdn-loop',
  'client-ip',
  'do-connecting-ip',
  'fastly-client-ip',
  'forwarded',
  'true-client-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-host',
  'x-http-host-override',
  'x-real-ip',
  'x-rewrite-url',
]);

/** The same by how they begin. Cloudflare's AI Gateway has `cf-aig-*` for callers, which go on. */
const NOT_FORWARDED_PREFIX =
  /^(?:sec-|proxy-|x-forwarded|x-original-|cf-(?!aig-)|fly-|x-amzn-(?:oidc-|trace-)|x-appengine-|x-auth-request-|x-azure-(?:clientip|fdid|ref|requestchain|socketip)|x-envoy-|x-goog-(?:authenticated-user-|iap-)|x-ms-(?:client-principal|token-)|x-nf-|x-vercel-)/;

/**
 * The headers that go upstream, from `req.rawHeaders`: what the caller sent but hop-by-hop fields and those
 * that `Connection` names, cookies, what a browser or a proxy adds, and our own. Repeated fields stay apart
 * and in order.
 * @param authorization the value of `Upstream-Authorization`, which becomes `Authorization`.
 */
export function upstreamRequestHeaders(
  rawHeaders: readonly string[],
  authorization: string | undefined,
): [string, string][] {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    fields.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);

  const connection = fields.filter(([name]) => name.toLowerCase() === 'connection');
  const ofThisHop = new Set(connection.flatMap(([, value]) => value.toLowerCase().split(/[\s,]+/)));
  const forwarded = fields.filter(([name]) => {
    const lower = name.toLowerCase();
    return !NOT_FORWARDED.has(lower) && !NOT_FORWARDED_PREFIX.test(lower) && !ofThisHop.has(lower);
  });
  if (authorization !== undefined) forwarded.push(['Authorization', authorization]);
  return forwarded;
}

/** Of an upstream's error: what it is, when to try again, and what support will ask for. Nothing else. */
const ERROR_HEADERS =
  /^(?:content-type|retry-after|retry-after-ms|x-should-retry|request-id|x-request-id|(?:x-|anthropic-)?ratelimit(?:-.*)?)$/;

/** The headers of an upstream's error that reach the caller, values unchanged. */
export function upstreamErrorHeaders(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && ERROR_HEADERS.test(name.toLowerCase())) kept[name] = value;
  }
  return kept;
}
