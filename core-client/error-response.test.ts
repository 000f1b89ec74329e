import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readErrorResponse } from './error-response.ts';

const read = (body: string, status = 400, headers = {}) =>
  readErrorResponse(new Response(null, { status, headers }), body);

describe('readErrorResponse', () => {
  it.each([
    [
      'the proxy',
      '{"error":{"code":"UPSTREAM_NOT_ALLOWED","message":"not allowed"}}',
      'UPSTREAM_NOT_ALLOWED',
    ],
    ['OpenAI', '{"error":{"message":"not allowed","type":"invalid_request_error","code":"bad"}}', 'bad'],
    [
      'Anthropic',
      '{"type":"error","error":{"type":"rate_limit_error","message":"not allowed"}}',
      'rate_limit_error',
    ],
    [
      'Google',
      '[{"error":{"code":429,"message":"not allowed","status":"RESOURCE_EXHAUSTED"}}]',
      'RESOURCE_EXHAUSTED',
    ],
    ['an app', '{"error":"not allowed"}', undefined],
    ['an app with a message', '{"message":"not allowed"}', undefined],
    ['plain text', ' not allowed\n', undefined],
  ])('returns the message of %s', (_, body, code) => {
    expect(read(body, 403)).toEqual({ message: 'not allowed', code, status: 403, retryAfterMs: undefined });
  });

  it.each(['', '<html>502</html>', '{"broken', '[]', 'null', '{}', '7', 'x'.repeat(501)])(
    'names the status if the body has no message: %j',
    (body) => {
      expect(read(body, 502).message).toBe('The request failed with status 502');
    },
  );

  it('returns the time of Retry-After', () => {
    expect(read('slow down', 429, { 'retry-after': '7' }).retryAfterMs).toBe(7000);
  });

  it('never throws, and never returns JSON or an empty message', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (body) => {
        const { message } = read(body, 500);
        expect(message.length).toBeGreaterThan(0);
      }),
    );
  });
});
