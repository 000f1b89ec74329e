import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as names from '../../protocol/headers.ts';
import { DEFAULT_DROP_REQUEST_HEADERS, requestHeaders, upstreamErrorHeaders } from './headers.ts';

const upstreamRequestHeaders = requestHeaders(DEFAULT_DROP_REQUEST_HEADERS);

const forwarded = (...fields: [string, string][]) => upstreamRequestHeaders(fields.flat(), undefined);

describe('requestHeaders', () => {
  it('forwards end-to-end fields with their spelling and order', () => {
    const fields: [string, string][] = [
      ['Content-Type', 'application/json'],
      ['x-api-key', 'sk-1'],
      ['anthropic-version', '2023-06-01'],
      ['X-Stainless-Lang', 'js'],
      ['User-Agent', 'sdk/1'],
      ['Accept', 'text/event-stream'],
      ['OpenAI-Organization', 'org'],
      ['x-goog-api-key', 'k'],
      ['x-goog-user-project', 'p'],
      ['X-Amz-Date', '20260101T000000Z'],
      ['X-Amzn-Bedrock-Accept', 'application/json'],
      ['x-ms-client-request-id', 'r'],
      ['cf-aig-metadata', '{}'],
      ['CF-Access-Client-Id', 'id.access'],
      ['CF-Access-Client-Secret', 's'],
      ['x-vercel-protection-bypass', 'b'],
      ['x-vercel-set-bypass-cookie', 'true'],
      ['fly-prefer-region', 'fra'],
      ['fly-force-instance-id', '1'],
      ['X-Envoy-Retry-On', '5xx'],
      ['X-Original-Filename', 'a.pdf'],
      ['traceparent', '00-1-2-01'],
      ['Security-Level', 'secret'],
      ['Connectionless', '1'],
      ['x-forward', '1'],
    ];
    expect(forwarded(...fields)).toEqual(fields);
  });

  it('keeps repeated fields separate', () => {
    const fields: [string, string][] = [
      ['X-Tag', 'a'],
      ['x-tag', 'b, c'],
      ['X-Tag', ''],
    ];
    expect(forwarded(...fields)).toEqual(fields);
  });

  it.each([
    ...['Connection', 'Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Connection', 'TE'],
    ...['Trailer', 'Trailers', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings', 'Expect', 'Via'],
    ...['Host', 'Content-Length', 'Authorization', 'Accept-Encoding'],
    ...[
      'Cookie',
      'Cookie2',
      'Origin',
      'Referer',
      'Sec-Fetch-Site',
      'Sec-CH-UA',
      'Sec-GPC',
      'Sec-WebSocket-Key',
    ],
    ...[
      'Forwarded',
      'X-Forwarded-For',
      'X-Forwarded-Host',
      'X-Forwarded',
      'X-Real-IP',
      'X-Client-IP',
      'Client-IP',
    ],
    ...['True-Client-IP', 'X-Cluster-Client-IP', 'CF-Connecting-IP', 'CF-Ray', 'CF-Access-Jwt-Assertion'],
    ...['CDN-Loop', 'Fly-Client-IP', 'Fastly-Client-IP', 'X-Envoy-External-Address', 'X-Vercel-OIDC-Token'],
    ...['X-Amzn-Trace-Id', 'X-Amzn-Oidc-Data', 'X-MS-Client-Principal', 'X-MS-Token-AAD-Access-Token'],
    ...['X-Goog-IAP-JWT-Assertion', 'X-Azure-ClientIP', 'X-Appengine-User-IP', 'X-Auth-Request-User'],
    ...[
      'CloudFront-Viewer-Address',
      'X-Amz-Cf-Id',
      'Fly-Region',
      'Fly-Forwarded-Proto',
      'X-Vercel-IP-Country',
    ],
    ...['X-Vercel-Forwarded-For', 'X-NF-Client-Connection-IP', 'CF-IPCountry', 'X-Envoy-Original-Path'],
    ...['X-Original-URL', 'X-Original-Host', 'X-Rewrite-URL', 'X-Host', 'X-HTTP-Host-Override'],
  ])('drops %s in any case', (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(forwarded([spelled, 'x'], ['Accept', '*/*'])).toEqual([['Accept', '*/*']]);
    }
  });

  const own = Object.values(names)
    .filter((value) => typeof value === 'string')
    .filter((value) => !names.PREFERENCES.includes(value));
  it.each(own)('drops the protocol header %s', (name) => {
    expect(forwarded([name, 'x'], [name.toLowerCase(), 'x'])).toEqual([]);
  });

  it('drops the fields that all Connection fields name', () => {
    expect(
      forwarded(
        ['X-Hop', '1'],
        ['Connection', 'close, X-Hop'],
        ['x-other', '1'],
        ['connection', ' , x-OTHER ,'],
        ['X-Kept', '1'],
      ),
    ).toEqual([['X-Kept', '1']]);
  });

  it('sends the upstream authorization instead of the caller’s', () => {
    expect(upstreamRequestHeaders(['authorization', 'Bearer ours', 'Accept', '*/*'], 'Bearer sk-1')).toEqual([
      ['Accept', '*/*'],
      ['Authorization', 'Bearer sk-1'],
    ]);
    // Not even by naming it in Connection.
    expect(upstreamRequestHeaders(['Connection', 'authorization'], 'Bearer sk-1')).toEqual([
      ['Authorization', 'Bearer sk-1'],
    ]);
  });

  it('returns pairs that fetch and undici accept', () => {
    const headers = new Headers(upstreamRequestHeaders(['X-Tag', 'a', 'x-tag', 'b'], 'Basic eA=='));
    expect([...headers]).toEqual([
      ['authorization', 'Basic eA=='],
      ['x-tag', 'a, b'],
    ]);
  });
});

describe('the list of dropRequestHeaders', () => {
  const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
  const NEVER = [
    'Cookie',
    'Authorization',
    'Host',
    'Content-Length',
    'Connection',
    'Origin',
    'Sec-Fetch-Site',
  ];

  it('drops fields by name or prefix, case-insensitively, and no others', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(token, fc.boolean())), fc.array(token), (patterns, names) => {
        const filter = requestHeaders(patterns.map(([name, prefix]) => (prefix ? `${name}*` : name)));
        const all = [
          ...names,
          ...patterns.map(([name]) => `${name}-More`),
          ...patterns.map(([name]) => name),
        ];
        const covered = (name: string) =>
          patterns.some(([pattern, prefix]) =>
            prefix
              ? name.toLowerCase().startsWith(pattern.toLowerCase())
              : name.toLowerCase() === pattern.toLowerCase(),
          );
        // Fields that are forwarded without a list are those that the list decides about.
        const fields = requestHeaders([])(
          all.flatMap((name) => [name, 'x']),
          undefined,
        );
        expect(
          filter(
            all.flatMap((name) => [name, 'x']),
            undefined,
          ),
        ).toEqual(fields.filter(([name]) => !covered(name)));
      }),
    );
  });

  it('never forwards cookies, credentials and hop-by-hop fields', () => {
    fc.assert(
      fc.property(fc.constantFrom(...NEVER), fc.array(token), (name, patterns) => {
        expect(requestHeaders(patterns)([name, 'x'], undefined)).toEqual([]);
      }),
    );
  });

  it('replaces the default', () => {
    expect(requestHeaders([])(['X-Real-IP', '192.0.2.1'], undefined)).toEqual([['X-Real-IP', '192.0.2.1']]);
  });

  it.each(['', '*', 'a b', 'x-*-y', 'x:'])('rejects %j', (pattern) => {
    expect(() => requestHeaders([pattern])).toThrow(/dropRequestHeaders contains .* Example:/);
  });
});

describe('upstreamErrorHeaders', () => {
  it('keeps the type, Retry-After, rate limits and request ids', () => {
    const headers = {
      'content-type': 'application/problem+json;charset=weird',
      'retry-after': '7',
      'retry-after-ms': '7000',
      'x-should-retry': 'false',
      'request-id': 'req_1',
      'x-request-id': 'req_2',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit': '1',
      ratelimit: '"default";r=0;t=7',
      'ratelimit-policy': '"default";q=10',
      'anthropic-ratelimit-requests-reset': '2026-01-01T00:00:00Z',
    };
    expect(upstreamErrorHeaders(headers)).toEqual(headers);
  });

  it.each([
    ...['set-cookie', 'location', 'content-length', 'content-encoding', 'transfer-encoding', 'connection'],
    ...[
      'www-authenticate',
      'access-control-allow-origin',
      'strict-transport-security',
      'server',
      'date',
      'etag',
    ],
    ...['content-type-options', 'x-request-id-2', 'ratelimits', 'my-ratelimit-x', 'authorization', 'cf-ray'],
  ])('keeps %s from the caller', (name) => {
    expect(upstreamErrorHeaders({ [name]: 'x' })).toEqual({});
  });

  it('omits absent fields', () => {
    expect(upstreamErrorHeaders({ 'content-type': undefined })).toEqual({});
  });
});
