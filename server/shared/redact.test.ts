import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { redact, secretsOfHeaders, secretsOfRequest } from './redact.ts';

const KEY = 'sk-provider/key+1';

describe('redact', () => {
  it('replaces a credential in message, stack, cause and properties of an error', () => {
    const cause = new TypeError(`401 for ${KEY}`);
    const error = Object.assign(new Error(`no: ${KEY}`, { cause }), {
      config: {
        headers: { Authorization: `Bearer ${KEY}` },
        tried: [`https://x/?key=${encodeURIComponent(KEY)}`],
      },
      status: 401,
    });
    const clean = redact(error, secretsOfHeaders([['Authorization', `Bearer ${KEY}`]]));
    expect(clean).toBeInstanceOf(Error);
    expect(clean.cause).toBeInstanceOf(TypeError);
    expect(clean).toMatchObject({ message: 'no: [redacted]', status: 401 });
    expect(clean.stack).toContain('redact.test.ts');
    const text = inspect(clean, { depth: 10, showHidden: true }) + JSON.stringify(clean);
    expect(text).not.toContain(KEY);
    expect(text).not.toContain(encodeURIComponent(KEY));
    // The operator's own object stays as it was.
    expect(error.message).toContain(KEY);
  });

  it('returns the same error if it holds no credential', () => {
    const error = new Error('no database');
    expect(redact(error, [KEY, 'short'])).toBe(error);
  });

  it('terminates for errors that refer to themselves', () => {
    const error: Error & { self?: unknown } = new Error(KEY);
    error.self = { error };
    expect(inspect(redact(error, [KEY]), { depth: 20 })).not.toContain(KEY);
  });
});

describe('secretsOfHeaders', () => {
  it('returns the values of sensitive headers, also without scheme and cookie name', () => {
    const secrets = secretsOfHeaders([
      ['authorization', 'Bearer abc.def'],
      ['x-api-key', 'sk-1'],
      ['cookie', 'a=1; session=s3cret'],
      ['content-type', 'application/json'],
    ]);
    expect(secrets).toEqual(expect.arrayContaining(['Bearer abc.def', 'abc.def', 'sk-1', 's3cret']));
    expect(secrets).not.toContain('application/json');
  });
});

describe('secretsOfRequest', () => {
  it('reads a request of the HTTP/2 compatibility API, which has no headersDistinct', () => {
    const request = { rawHeaders: ['Authorization', 'Bearer abc.def'], url: '/v1/proxy?secret=s3cret' };
    const secrets = secretsOfRequest(request);
    expect(secrets).toEqual(expect.arrayContaining(['abc.def', 's3cret']));
  });
});
