import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT, UnsecuredJWT, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, ProxyError } from '../shared/errors.ts';
import { createKeyring } from './keyring.ts';
import { createServiceToken, TOKEN_TYPE, verifyServiceToken } from './tokens.ts';

const SECRET = 'token-secret-of-some-length-0123456789-0123456789-0123456789-01234';
const NOW_MS = 1_700_000_000_000;
const NOW = NOW_MS / 1000;
const keyring = createKeyring(SECRET);

const sign = (payload: JWTPayload, header: Record<string, unknown> = {}, secret = SECRET) =>
  new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256', typ: TOKEN_TYPE, ...header })
    .sign(new TextEncoder().encode(secret));

/** Signs tokens by hand that libraries refuse to create. */
function forge(header: unknown, payload: unknown, secret = SECRET): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const message = `${part(header)}.${part(payload)}`;
  return `${message}.${createHmac('sha256', secret).update(message).digest('base64url')}`;
}

async function refusal(token: string, keys = keyring, nowMs = NOW_MS): Promise<string> {
  const error = await verifyServiceToken(keys, token, nowMs).then(
    () => expect.fail('the token was accepted'),
    (reason: unknown) => reason as ProxyError,
  );
  expect(error).toBeInstanceOf(ProxyError);
  expect(error).toMatchObject({ code: 'INVALID_SECRET', status: 401 });
  expect(error.headers['WWW-Authenticate']).toMatch(/^Bearer/);
  for (const part of token.split('.')) if (part.length > 8) expect(error.message).not.toContain(part);
  expect(error.cause).toBeUndefined();
  return error.message;
}

describe('createServiceToken', () => {
  it('creates an HS256 token with exp, iat, sub and allow', async () => {
    const begun = Math.floor(Date.now() / 1000);
    const allow = ['https://api.openai.com/**'];
    const token = await createServiceToken({
      jwtSecret: [SECRET, 'old'],
      subject: 'user-1',
      expiresInSeconds: 60,
      allow,
    });
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256', typ: 'durable-proxy+jwt' });
    const { exp = 0, iat = 0, ...rest } = decodeJwt(token);
    expect(rest).toEqual({ sub: 'user-1', allow });
    expect(exp - iat).toBe(60);
    expect(iat - begun).toBeLessThanOrEqual(1);
    expect(await verifyServiceToken(keyring, token)).toEqual({ subject: 'user-1', allow, expiresAt: exp });
  });

  it('omits allow if it is not given', async () => {
    const token = await createServiceToken({ jwtSecret: SECRET, subject: 'u', expiresInSeconds: 0.5 });
    expect(await verifyServiceToken(keyring, token)).toMatchObject({ subject: 'u' });
    expect(decodeJwt(token)).not.toHaveProperty('allow');
  });

  it.each([
    { subject: '' },
    { subject: undefined },
    { expiresInSeconds: 0 },
    { expiresInSeconds: -1 },
    { expiresInSeconds: NaN },
    { expiresInSeconds: undefined },
    { allow: 'https://h.example' },
    { allow: ['ftp://h.example'] },
    { jwtSecret: '' },
    { jwtSecret: [] },
  ])('rejects %j', async (wrong) => {
    const options = { jwtSecret: SECRET, subject: 'u', expiresInSeconds: 60, ...wrong };
    await expect(createServiceToken(options as never)).rejects.toThrow(ConfigurationError);
  });
});

describe('verifyServiceToken', () => {
  it('accepts a token of any library that has exp and sub', async () => {
    expect(await verifyServiceToken(keyring, await sign({ sub: 'u', exp: NOW + 1 }), NOW_MS)).toMatchObject({
      subject: 'u',
    });
    const more = { sub: 'u', exp: NOW + 1, nbf: NOW, iat: NOW + 9, iss: 'x', aud: 'y', jti: 'z', allow: [] };
    expect(await verifyServiceToken(keyring, await sign(more), NOW_MS)).toMatchObject({
      subject: 'u',
      allow: [],
    });
  });

  it('rejects a token from the second of its expiry on', async () => {
    const token = await sign({ sub: 'u', exp: NOW });
    expect(await verifyServiceToken(keyring, token, NOW_MS - 1_000)).toMatchObject({ subject: 'u' });
    expect(await refusal(token)).toMatch(/expired/);
  });

  it('rejects a token that is not valid yet', async () => {
    expect(await refusal(await sign({ sub: 'u', exp: NOW + 60, nbf: NOW + 1 }))).toMatch(/not valid yet/);
  });

  it.each<[JWTPayload, RegExp]>([
    [{ sub: 'u' }, /no "exp"/],
    [{ exp: NOW + 60 }, /no "sub"/],
    [{ sub: '', exp: NOW + 60 }, /"sub" is not a name/],
    [{ sub: 7 as never, exp: NOW + 60 }, /"sub"/],
    [{ sub: ['u'] as never, exp: NOW + 60 }, /"sub"/],
    [{ sub: 'u', exp: `${NOW + 60}` as never }, /"exp"/],
    [{ sub: 'u', exp: null as never }, /"exp"/],
    [{ sub: 'u', exp: NOW + 60, nbf: 'now' as never }, /"nbf"/],
    [{ sub: 'u', exp: NOW + 60, allow: 'https://h.example' }, /"allow"/],
    [{ sub: 'u', exp: NOW + 60, allow: null }, /"allow"/],
    [{ sub: 'u', exp: NOW + 60, allow: [7] }, /"allow"/],
    [{ sub: 'u', exp: NOW + 60, allow: ['*'] }, /"allow"/],
    [{ sub: 'u', exp: NOW + 60, allow: { 0: 'https://h.example', length: 1 } }, /"allow"/],
  ])('refuses the claims %j', async (payload, why) => {
    expect(await refusal(forge({ alg: 'HS256', typ: TOKEN_TYPE }, payload))).toMatch(why);
  });

  it('rejects alg none, signed or not, in upper and lower case', async () => {
    const payload = { sub: 'u', exp: NOW + 60 };
    expect(await refusal(new UnsecuredJWT(payload).encode())).toMatch(/algorithm/);
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      const signed = forge({ alg }, payload);
      expect(await refusal(signed)).toMatch(/algorithm/);
      expect(await refusal(signed.replace(/[^.]*$/, ''))).toMatch(/algorithm|malformed/);
    }
  });

  it('rejects every algorithm except HS256, even with a valid signature', async () => {
    const payload = { sub: 'u', exp: NOW + 60 };
    for (const alg of ['HS384', 'HS512'])
      expect(await refusal(await sign(payload, { alg }))).toMatch(/algorithm/);
    for (const alg of ['RS256', 'ES256', 'EdDSA', 'hs256', 'HS256 ', 'dir']) {
      expect(await refusal(forge({ alg }, payload))).toMatch(/algorithm/);
    }
    expect(await refusal(forge({}, payload))).toMatch(/malformed/);
    expect(await refusal(forge({ alg: ['HS256'] }, payload))).toMatch(/malformed|algorithm/);
  });

  it('rejects unsupported header parameters', async () => {
    const payload = { sub: 'u', exp: NOW + 60 };
    expect(await refusal(forge({ alg: 'HS256', crit: ['x'], x: 1 }, payload))).toMatch(/malformed/);
    expect(await refusal(forge({ alg: 'HS256', b64: false, crit: ['b64'] }, payload))).toMatch(/malformed/);
  });

  it('[AUTH-17] rejects another type, and accepts "JWT" or none only with acceptLegacy', async () => {
    const payload = { sub: 'u', exp: NOW + 60 };
    for (const typ of ['JWT', 'jwt', undefined]) {
      const token = await sign(payload, { typ });
      expect(await refusal(token)).toMatch(/"typ"/);
      expect(await verifyServiceToken(keyring, token, NOW_MS, true)).toMatchObject({ subject: 'u' });
    }
    for (const typ of ['at+jwt', 'reset', '']) {
      const token = await sign(payload, { typ });
      expect(await refusal(token)).toMatch(/"typ"/);
      await expect(verifyServiceToken(keyring, token, NOW_MS, true)).rejects.toThrow(/"typ"/);
    }
  });

  it('rejects tokens signed with another secret or with a URL key', async () => {
    const payload = { sub: 'u', exp: NOW + 60 };
    expect(await refusal(await sign(payload, {}, `${SECRET}x`))).toMatch(/signature/);
    const urlKey = keyring.urlKeys[0]!.export();
    const token = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(urlKey);
    expect(await refusal(token)).toMatch(/signature/);
  });

  it.each([
    '',
    '.',
    '..',
    'a.b',
    'a.b.c',
    'a.b.c.d.e',
    'eyJhbGciOiJIUzI1NiJ9..',
    'eyJhbGciOiJIUzI1NiJ9.e30',
    '\0.\0.\0',
  ])('refuses %j as malformed', async (token) => {
    expect(await refusal(token)).toMatch(/malformed|signature/);
  });

  it('rejects a token with any character changed', async () => {
    const token = await sign({ sub: 'user-1', exp: NOW + 60, allow: ['https://api.openai.com/**'] });
    // Two bits of the last character of a 32-byte signature are unused.
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 2), fc.stringMatching(/^[\x21-\x7e]$/), async (at, char) => {
        if (token[at] === char) return;
        await refusal(token.slice(0, at) + char + token.slice(at + 1));
      }),
      { numRuns: 1_000 },
    );
  });

  it('verifies with every secret, signs with the first, and reports the reason under any of them', async () => {
    const during = createKeyring(['new', 'old']);
    const old = await createServiceToken({ jwtSecret: 'old', subject: 'u', expiresInSeconds: 60 });
    const fresh = await createServiceToken({ jwtSecret: ['new', 'old'], subject: 'u', expiresInSeconds: 60 });
    expect(await verifyServiceToken(during, old)).toMatchObject({ subject: 'u' });
    expect(await verifyServiceToken(createKeyring('new'), fresh)).toMatchObject({ subject: 'u' });
    expect(await refusal(old, createKeyring('new'), Date.now())).toMatch(/signature/);
    expect(await refusal(old, during, Date.now() + 61_000)).toMatch(/expired/);
  });
});
