import { describe, expect, it } from 'vitest';
import { contentTypeIn, responseHeaders } from './response-headers.ts';

const HEADERS = {
  'content-type': 'text/event-stream',
  'x-request-id': 'req_1',
  'x-ratelimit-remaining-requests': '9',
  'set-cookie': 'session=secret',
  connection: 'close, x-hop',
  'x-hop': '1',
  'keep-alive': 'timeout=5',
  'transfer-encoding': 'chunked',
  'content-length': '12',
  'content-encoding': 'gzip',
  'alt-svc': 'h3=":443"',
  'strict-transport-security': 'max-age=1',
  'access-control-allow-origin': '*',
  'proxy-authenticate': 'Basic',
  'retry-after': '3',
};

describe('responseHeaders', () => {
  it('[RESP-3] omits headers about the connection, the encoding, the user or the origin', () => {
    expect(JSON.parse(responseHeaders('all')(200, HEADERS))).toEqual([
      ['x-request-id', 'req_1'],
      ['x-ratelimit-remaining-requests', '9'],
      ['retry-after', '3'],
    ]);
  });

  it('[RESP-4] keeps the listed names only, in any case', () => {
    expect(responseHeaders(['X-Request-Id', 'Set-Cookie'])(200, HEADERS)).toBe('[["x-request-id","req_1"]]');
    expect(responseHeaders('none')(200, HEADERS)).toBe('[]');
  });

  it('[RESP-4] keeps what callers need to handle an error, whatever the option', () => {
    expect(JSON.parse(responseHeaders('none')(429, HEADERS))).toEqual([
      ['x-request-id', 'req_1'],
      ['x-ratelimit-remaining-requests', '9'],
      ['retry-after', '3'],
    ]);
  });

  it('[RESP-2] is ASCII', () => {
    const value = responseHeaders('all')(200, { 'x-name': 'zo\u00eb \ud83e\udd89 "\\\u007f' });
    expect(value).toMatch(/^[\x20-\x7e]*$/);
    expect(JSON.parse(value)).toEqual([['x-name', 'zo\u00eb \ud83e\udd89 "\\\u007f']]);
  });

  it('[RESP-5] omits headers that do not fit, and keeps smaller ones after them', () => {
    const value = responseHeaders('all')(200, { a: 'x'.repeat(8_000), b: 'y'.repeat(8_000), c: 'z' });
    expect(value.length).toBeLessThanOrEqual(8_192);
    expect(JSON.parse(value)).toEqual([
      ['a', 'x'.repeat(8_000)],
      ['c', 'z'],
    ]);
  });

  it('[RESP-4] does not take names of Object.prototype for those of an error', () => {
    expect(responseHeaders('none')(500, { constructor: 'x', 'retry-after': '3' })).toBe(
      '[["retry-after","3"]]',
    );
  });

  it('[RESP-5] leaves out a Content-Type of over 1,024 bytes', () => {
    const longest = `text/plain;a=${'x'.repeat(1_011)}`;
    expect(contentTypeIn({ 'content-type': longest })).toBe(longest);
    expect(contentTypeIn({ 'content-type': `${longest}x` })).toBe('');
    expect(contentTypeIn({})).toBe('');
  });

  it('throws for a list with an invalid header name', () => {
    expect(() => responseHeaders(['x-request-id', 'not a name'])).toThrow(
      /exposeUpstreamHeaders contains "not a name"/,
    );
  });
});
