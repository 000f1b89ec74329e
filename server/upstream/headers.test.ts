import { describe, expect, it } from 'vitest';
import * as names from '../../protocol/headers.ts';
import { upstreamErrorHeaders, upstreamRequestHeaders } from './headers.ts';

const forwarded = (...fields: [string, string][]) => upstreamRequestHeaders(fields.flat(), undefined);

describe('upstreamRequestHeaders', () => {
  it('hands on what belongs to the request, spelled and ordered as it came', () => {
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
      ['traceparent', '00-1-2-01'],
      ['Security-Level', 'secret'],
      ['Connectionless', '1'],
      ['x-forward', '1'],
    ];
    expect(forwarded(...fields)).toEqual(fields);
  });

  it('keeps repeated fields apart', () => {
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
    ...['X-Original-URL', 'X-Original-Host', 'X-Rewrite-URL', 'X-Host', 'X-HTTP-Host-Override'],
  ])('drops %s in any case', (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase()]) {
      expect(forwarded([spelled, 'x'], ['Accept', '*/*'])).toEqual([['Accept', '*/*']]);
    }
  });

  const own = Object.values(names)
    .filter((value) => typeof value === 'string')
    .filter((value) => !names.PREFERENCES.includes(value));
  it.each(own)('drops our own %s', (name) => {
    expect(forwarded([name, 'x'], [name.toLowerCase(), 'x'])).toEqual([]);
  });

  it('drops what Connection names, in every one of its fields', () => {
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

  it('puts the upstream authorization where the caller had none that goes on', () => {
    expect(upstreamRequestHeaders(['authorization', 'Bearer ours', 'Accept', '*/*'], 'Bearer sk-1')).toEqual([
      ['Accept', '*/*'],
      ['Authorization', 'Bearer sk-1'],
    ]);
    // Not even by naming it in Connection.
    expect(upstreamRequestHeaders(['Connection', 'authorization'], 'Bearer sk-1')).toEqual([
      ['Authorization', 'Bearer sk-1'],
    ]);
  });

  it('gives what fetch and undici take', () => {
    const headers = new Headers(upstreamRequestHeaders(['X-Tag', 'a', 'x-tag', 'b'], 'Basic eA=='));
    expect([...headers]).toEqual([
      ['authorization', 'Basic eA=='],
      ['x-tag', 'a, b'],
    ]);
  });
});

describe('upstreamErrorHeaders', () => {
  it('keeps the type, when to try again, limits and request ids', () => {
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

  it('leaves out what is absent', () => {
    expect(upstreamErrorHeaders({ 'content-type': undefined })).toEqual({});
  });
});
