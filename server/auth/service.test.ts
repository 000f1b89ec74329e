import { createServer, request as httpRequest, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ProxyError } from '../shared/errors.ts';
import { createKeyring, deriveServiceSecret } from './keyring.ts';
import { createServiceAuth, type Authenticate, type Caller } from './service.ts';
import { createServiceToken } from './tokens.ts';

const SECRET = 'service-secret';
const keyring = createKeyring([SECRET, 'older secret']);
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

const opened: (() => void)[] = [];
afterEach(() => {
  for (const close of opened.splice(0)) close();
});

type Verdict = Caller | { code: string; message: string; challenge: string | undefined; cause: unknown };

/** Sends a request to a server that only runs the check. Returns its result. */
async function check(
  headers: OutgoingHttpHeaders,
  query = '',
  authenticate?: Authenticate,
  more: { acceptJwtSecret?: boolean } = {},
): Promise<Verdict> {
  const auth = createServiceAuth({ keyring, authenticate, ...more });
  return new Promise((resolve, reject) => {
    const server = createServer((req, res) => {
      auth(req, new URL(req.url ?? '', 'http://h').searchParams)
        .then(resolve, (error: unknown) => {
          if (!(error instanceof ProxyError)) return reject(new Error('no ProxyError', { cause: error }));
          const { code, message, cause } = error;
          resolve({ code, message, cause, challenge: error.headers['WWW-Authenticate'] });
        })
        .finally(() => res.end());
    });
    opened.push(() => server.close());
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      httpRequest({ port, host: '127.0.0.1', path: `/${query}`, headers, agent: false }, (res) =>
        res.resume(),
      )
        .on('error', reject)
        .end();
    });
  });
}

const token = (allow?: string[]) =>
  createServiceToken({ jwtSecret: 'older secret', subject: 'user-1', expiresInSeconds: 60, allow });

describe('the service check', () => {
  it('accepts each plain secret in the header and in the query', async () => {
    expect(await check(bearer(SECRET))).toEqual({ operator: true });
    expect(await check({ authorization: `bEARER   ${SECRET}` })).toEqual({ operator: true });
    expect(await check(bearer('older secret'))).toEqual({ operator: true });
    expect(await check({}, `?secret=${SECRET}`)).toEqual({ operator: true });
    expect(await check({}, '?secret=older%20secret')).toEqual({ operator: true });
  });

  it('accepts the derived service secret, even if the signing key is not accepted', async () => {
    const derived = deriveServiceSecret(SECRET);
    expect(derived).toMatch(/^[\w-]{43}$/);
    expect(await check(bearer(derived))).toEqual({ operator: true });
    const off = { acceptJwtSecret: false };
    expect(await check(bearer(derived), '', undefined, off)).toEqual({ operator: true });
    expect(await check(bearer(SECRET), '', undefined, off)).toMatchObject({ code: 'INVALID_SECRET' });
    expect(await check({}, `?secret=${SECRET}`, undefined, off)).toMatchObject({ code: 'INVALID_SECRET' });
    expect(await check(bearer(await token()), '', undefined, off)).toMatchObject({ subject: 'user-1' });
  });

  it('accepts service tokens in the header and in the query, and returns their subject', async () => {
    const allow = ['https://api.openai.com/**'];
    expect(await check(bearer(await token()))).toMatchObject({ subject: 'user-1', operator: false });
    expect(await check({}, `?secret=${await token(allow)}`)).toMatchObject({
      subject: 'user-1',
      allow,
      operator: false,
    });
  });

  it.each<[OutgoingHttpHeaders, string]>([
    [{}, ''],
    [{}, '?secret='],
    [{ authorization: 'Bearer' }, ''],
    [{ authorization: 'Bearer ' }, ''],
    [{ cookie: `secret=${SECRET}` }, ''],
    [{}, `?Secret=${SECRET}`],
  ])('misses a credential in %j %j', async (headers, query) => {
    expect(await check(headers, query)).toMatchObject({ code: 'MISSING_SECRET', challenge: 'Bearer' });
  });

  it.each<[OutgoingHttpHeaders, string, RegExp]>([
    [bearer('wrong'), '', /wrong/],
    [bearer(`${SECRET}x`), '', /wrong/],
    [bearer(`${SECRET}, ${SECRET}`), '', /wrong/],
    [bearer('a.b.c'), '', /malformed/],
    [{}, '?secret=wrong', /wrong/],
    [{}, `?secret=${SECRET}%00`, /wrong/],
    [{}, `?secret=${SECRET}&secret=${SECRET}`, /more than once/],
    [{}, '?secret=&secret=', /more than once/],
    [{ authorization: [`Bearer ${SECRET}`, `Bearer ${SECRET}`] as never }, '', /more than one Authorization/],
    [{ authorization: [`Bearer ${SECRET}`, 'Basic eA=='] as never }, `?secret=${SECRET}`, /more than one/],
    [bearer(SECRET), `?secret=${SECRET}`, /not both/],
    [{ authorization: `Basic ${Buffer.from(`x:${SECRET}`).toString('base64')}` }, '', /must be "Bearer/],
    [{ authorization: SECRET }, '', /must be "Bearer/],
    [{ authorization: `Bearer${SECRET}` }, '', /must be "Bearer/],
    [{ authorization: `Token ${SECRET}` }, '', /must be "Bearer/],
  ])('refuses %j %j', async (headers, query, why) => {
    const verdict = await check(headers, query);
    expect(verdict).toMatchObject({ code: 'INVALID_SECRET', challenge: 'Bearer error="invalid_token"' });
    expect(verdict).toMatchObject({ message: expect.stringMatching(why) as string });
    expect(JSON.stringify(verdict)).not.toContain(SECRET);
  });

  it('reports why a token is rejected', async () => {
    const expired = await createServiceToken({ jwtSecret: 'other', subject: 'u', expiresInSeconds: 60 });
    expect(await check(bearer(expired))).toMatchObject({
      message: expect.stringMatching(/signature/) as string,
    });
  });

  it('accepts a secret in the query next to an Authorization header of another scheme', async () => {
    expect(await check({ authorization: 'Basic eDp5' }, `?secret=${SECRET}`)).toEqual({ operator: true });
  });
});

describe('the service check with authenticate', () => {
  const session: Authenticate = (req) => (req.headers.cookie === 'session=1' ? { subject: 'user-2' } : null);
  const cookie = { cookie: 'session=1' };

  it('uses the subject that it returns or resolves with', async () => {
    expect(await check(cookie, '', session)).toEqual({ subject: 'user-2', operator: false });
    const later: Authenticate = async (req) => session(req);
    expect(await check(cookie, '', later)).toEqual({ subject: 'user-2', operator: false });
  });

  it('is not called for a valid secret or token', async () => {
    const never: Authenticate = () => expect.fail('authenticate was asked');
    expect(await check(bearer(SECRET), '', never)).toEqual({ operator: true });
    expect(await check(bearer(await token()), '', never)).toMatchObject({
      subject: 'user-1',
      operator: false,
    });
  });

  it('is called for credentials of the app', async () => {
    const own: Authenticate = (req) =>
      req.headers.authorization === 'Bearer app-session' || req.headers.authorization?.startsWith('Basic')
        ? { subject: 'app' }
        : null;
    expect(await check(bearer('app-session'), '', own)).toEqual({ subject: 'app', operator: false });
    expect(await check({ authorization: 'Basic eDp5' }, '', own)).toEqual({
      subject: 'app',
      operator: false,
    });
  });

  it('never treats a session as an operator', async () => {
    const sly = (() => ({ subject: 'x', operator: true, allow: ['https://h.example'] })) as Authenticate;
    expect(await check({}, '', sly)).toEqual({ subject: 'x', operator: false });
  });

  it.each([{}, { subject: undefined }, { subject: '' }, { subject: null }])(
    'responds 401 if it returns %j',
    async (session) => {
      expect(await check({}, '', () => session as never)).toMatchObject({ code: 'INVALID_SECRET' });
    },
  );

  it('responds 401 to an unknown visitor, with the reason why a credential was rejected', async () => {
    expect(await check({}, '', session)).toMatchObject({
      code: 'INVALID_SECRET',
      message: expect.stringMatching(/session/) as string,
    });
    expect(await check({}, '', () => undefined)).toMatchObject({ code: 'INVALID_SECRET' });
    const verdict = await check(bearer('a.b.c'), '', session);
    expect(verdict).toMatchObject({
      code: 'INVALID_SECRET',
      message: expect.stringMatching(/malformed/) as string,
    });
  });

  it.each<[string, Authenticate]>([
    [
      'throws',
      () => {
        throw new Error('db password hunter2');
      },
    ],
    ['rejects', () => Promise.reject(new ProxyError('NOT_FOUND', 'db password hunter2'))],
    ['returns a number', (() => ({ subject: 7 })) as never],
    ['returns true', (() => true) as never],
  ])('is INTERNAL_ERROR when it %s, and keeps the cause from the caller', async (_, authenticate) => {
    const verdict = await check({}, '', authenticate);
    expect(verdict).toMatchObject({ code: 'INTERNAL_ERROR', message: 'The session could not be checked' });
    expect(verdict).toHaveProperty('cause');
  });
});
