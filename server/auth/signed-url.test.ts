import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigurationError, ProxyError } from '../shared/errors.ts';
import { createKeyring } from './keyring.ts';
import { signQuery, signStreamUrl, verifySignedUrl } from './signed-url.ts';

const ID = '0f8fad5b-d9cb-469f-a165-70867728950e';
const NOW_MS = 1_700_000_000_000;
const LATER = NOW_MS / 1000 + 60;
const keyring = createKeyring('url-secret');

function verdict(query: string | URLSearchParams, id = ID, nowMs = NOW_MS, keys = keyring): string {
  try {
    return verifySignedUrl(keys, id, new URLSearchParams(query), nowMs).scope;
  } catch (error) {
    expect(error).toBeInstanceOf(ProxyError);
    expect(error).toMatchObject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } });
    return (error as ProxyError).code;
  }
}

describe('verifySignedUrl', () => {
  it('accepts a query of signQuery next to other parameters', () => {
    expect(verdict(signQuery(keyring, ID, LATER))).toBe('all');
    expect(verdict(signQuery(keyring, ID, LATER, 'read'))).toBe('read');
    expect(verdict(`offset=-1&${signQuery(keyring, ID, LATER)}&live=sse`)).toBe('all');
  });

  it('accepts it until the second of its expiry', () => {
    const query = signQuery(keyring, ID, LATER);
    expect(verdict(query, ID, LATER * 1000 - 1)).toBe('all');
    expect(verdict(query, ID, LATER * 1000)).toBe('SIGNATURE_EXPIRED');
    const never = signQuery(keyring, ID, Math.floor(NOW_MS / 1000) + Number.MAX_SAFE_INTEGER);
    expect(verdict(never)).toBe('all');
  });

  it('[AUTH-6] reports an expiry before a wrong signature, because the expiry is public', () => {
    const query = new URLSearchParams(signQuery(keyring, ID, 1));
    expect(verdict(query)).toBe('SIGNATURE_EXPIRED');
    query.set('signature', 'A'.repeat(43));
    expect(verdict(query)).toBe('SIGNATURE_EXPIRED');
    query.set('expires', String(LATER));
    expect(verdict(query)).toBe('SIGNATURE_INVALID');
  });

  it('signs id, expiry and scope', () => {
    const query = new URLSearchParams(signQuery(keyring, ID, LATER, 'read'));
    expect(verdict(query, ID.replace('0f', '1f'))).toBe('SIGNATURE_INVALID');
    expect(verdict(query, ID.toUpperCase())).toBe('SIGNATURE_INVALID');

    const later = new URLSearchParams(query);
    later.set('expires', String(LATER + 1));
    expect(verdict(later)).toBe('SIGNATURE_INVALID');

    const unscoped = new URLSearchParams(query);
    unscoped.delete('scope');
    expect(verdict(unscoped)).toBe('SIGNATURE_INVALID');

    expect(verdict(`${signQuery(keyring, ID, LATER)}&scope=read`)).toBe('SIGNATURE_INVALID');
    // Parts that would be equal if they were only concatenated.
    expect(verdict(signQuery(keyring, `${ID}1`, 7), ID, 0)).toBe('SIGNATURE_INVALID');
  });

  it.each([
    ['', 'nothing'],
    [`expires=${LATER}`, 'no signature'],
    ['signature=abc', 'no expiry'],
    [`expires=${LATER}&signature=`, 'an empty signature'],
    [`expires=${LATER}&signature=ü`, 'a signature that is not ASCII'],
  ])('refuses %j: %s', (query) => {
    expect(verdict(query)).toBe('SIGNATURE_INVALID');
  });

  it.each([
    '',
    '0',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '01',
    'NaN',
    'Infinity',
    '99999999999999999',
  ])('refuses the expiry %j, even if it were signed', (expires) => {
    expect(verdict(signQuery(keyring, ID, expires as unknown as number), ID, 0)).toBe('SIGNATURE_INVALID');
  });

  it('rejects repeated parameters and unknown scopes', () => {
    const query = signQuery(keyring, ID, LATER, 'read');
    for (const [name, value] of new URLSearchParams(query)) {
      expect(verdict(`${query}&${name}=${encodeURIComponent(value)}`)).toBe('SIGNATURE_INVALID');
    }
    expect(verdict(signQuery(keyring, ID, LATER, 'write' as 'read'))).toBe('SIGNATURE_INVALID');
    expect(verdict(signQuery(keyring, ID, LATER, '' as 'read'))).toBe('SIGNATURE_INVALID');
  });

  it('rejects a URL with any character changed', () => {
    const id = fc.uuid();
    const scope = fc.constantFrom(undefined, 'read' as const);
    fc.assert(
      fc.property(id, scope, fc.nat(), fc.stringMatching(/^[\x21-\x7e]$/), (streamId, scope, at, char) => {
        const signed = `${streamId}?${signQuery(keyring, streamId, LATER, scope)}`;
        const i = at % signed.length;
        if (signed[i] === char) return;
        const [path = '', ...rest] = `${signed.slice(0, i)}${char}${signed.slice(i + 1)}`.split('?');
        expect(verdict(rest.join('?'), path)).toMatch(/^SIGNATURE_(INVALID|EXPIRED)$/);
      }),
      { numRuns: 5_000 },
    );
  });

  it('rejects a signature with another base64 spelling of the same bytes', () => {
    const query = new URLSearchParams(signQuery(keyring, ID, LATER));
    const signature = query.get('signature') ?? '';
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=') {
      query.set('signature', signature.slice(0, -1) + last);
      expect(verdict(query)).toBe(last === signature.at(-1) ? 'all' : 'SIGNATURE_INVALID');
    }
  });

  it('verifies under every secret and signs with the first', () => {
    const before = createKeyring('old');
    const during = createKeyring(['new', 'old']);
    const after = createKeyring('new');
    const old = signQuery(before, ID, LATER);
    const fresh = signQuery(during, ID, LATER);
    expect(verdict(old, ID, NOW_MS, during)).toBe('all');
    expect(verdict(fresh, ID, NOW_MS, during)).toBe('all');
    expect(verdict(fresh, ID, NOW_MS, after)).toBe('all');
    expect(verdict(old, ID, NOW_MS, after)).toBe('SIGNATURE_INVALID');
    expect(verdict(fresh, ID, NOW_MS, before)).toBe('SIGNATURE_INVALID');
  });
});

describe('signStreamUrl', () => {
  const jwtSecret = ['url-secret', 'old'];

  it('returns a URL below the mount that is valid for one day', () => {
    const begun = Math.floor(Date.now() / 1000);
    const url = new URL(
      signStreamUrl({ jwtSecret, streamId: ID, basePath: '/v1/proxy/' }),
      'http://h.example',
    );
    expect(url.pathname).toBe(`/v1/proxy/${ID}`);
    expect(verdict(url.searchParams, ID, Date.now())).toBe('all');
    const seconds = Number(url.searchParams.get('expires')) - begun;
    expect(seconds).toBeGreaterThanOrEqual(86_400);
    expect(seconds).toBeLessThanOrEqual(86_402);
  });

  it('accepts an absolute base, an expiry and a scope', () => {
    const options = { jwtSecret, streamId: ID, basePath: 'https://x.example/p', expiresInSeconds: 0.5 };
    const url = new URL(signStreamUrl({ ...options, scope: 'read' }));
    expect(url.origin + url.pathname).toBe(`https://x.example/p/${ID}`);
    expect(verdict(url.searchParams, ID, Date.now())).toBe('read');
    expect(verdict(url.searchParams, ID, Date.now() + 2_000)).toBe('SIGNATURE_EXPIRED');
  });

  it.each([
    { streamId: '' },
    { streamId: undefined },
    { basePath: undefined },
    { expiresInSeconds: 0 },
    { expiresInSeconds: NaN },
    { expiresInSeconds: Infinity },
    { expiresInSeconds: '60' },
    { scope: 'all' },
    { jwtSecret: '' },
    { jwtSecret: [] },
  ])('throws for %j', (wrong) => {
    const options = { jwtSecret, streamId: ID, basePath: '/v1/proxy', ...wrong };
    expect(() => signStreamUrl(options as never)).toThrow(ConfigurationError);
  });
});
