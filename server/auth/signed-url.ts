import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { EXPIRES, SCOPE, SCOPE_READ, SIGNATURE } from '../../protocol/query.ts';
import { ConfigurationError } from '../shared/errors.ts';
import { checkNames } from '../shared/check-options.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { unauthorized } from './unauthorized.ts';

/** Operations that a signed URL permits: GET and PATCH, or GET only. */
export type UrlScope = 'all' | typeof SCOPE_READ;

/** Options of `signStreamUrl`. */
export interface SignStreamUrlOptions {
  /** The server's `jwtSecret`. If there are several, the first signs. */
  jwtSecret: string | readonly string[];
  /** Id of the stream, as in its `Location`. */
  streamId: string;
  /** Path of the mount, such as `/v1/proxy`, or its absolute URL. */
  basePath: string;
  /**
   * Seconds until the URL expires.
   * @default 86_400 (one day)
   */
  expiresInSeconds?: number | undefined;
  /**
   * `read` creates a link that permits GET but not PATCH.
   * @default both are permitted
   */
  scope?: typeof SCOPE_READ | undefined;
}

/**
 * Creates a URL that reads one stream until it expires and, without a scope, aborts it.
 * @param options the stream, the expiry, and what the URL permits.
 * @returns the signed URL, below `basePath`.
 * @throws ConfigurationError for invalid options.
 */
export function signStreamUrl(options: SignStreamUrlOptions): string {
  const names = ['jwtSecret', 'streamId', 'basePath', 'expiresInSeconds', 'scope'];
  checkNames(
    'signStreamUrl',
    names,
    options,
    "signStreamUrl({ jwtSecret, streamId, basePath: '/v1/proxy' })",
  );
  const { jwtSecret, streamId, basePath, expiresInSeconds = 86_400, scope } = options;
  if (typeof streamId !== 'string' || streamId === '') {
    throw new ConfigurationError('streamId must be the id of a stream, as in its Location header');
  }
  if (typeof basePath !== 'string') {
    throw new ConfigurationError("basePath must be the path of the mount. Example: basePath: '/v1/proxy'");
  }
  if (!Number.isFinite(expiresInSeconds) || expiresInSeconds <= 0) {
    throw new ConfigurationError(
      'expiresInSeconds must be a number above 0. Example: expiresInSeconds: 3600',
    );
  }
  if (scope !== undefined && scope !== SCOPE_READ) {
    throw new ConfigurationError(`scope must be "read" or absent. Absent means read and abort`);
  }
  const expiresAt = Math.ceil(Date.now() / 1000 + expiresInSeconds);
  const query = signQuery(createKeyring(jwtSecret), streamId, expiresAt, scope);
  return `${basePath.replace(/\/+$/, '')}/${encodeURIComponent(streamId)}?${query}`;
}

/**
 * Returns the query of a signed URL.
 * @param expiresAtSeconds Unix time in whole seconds.
 */
export function signQuery(
  keyring: Keyring,
  streamId: string,
  expiresAtSeconds: number,
  scope?: typeof SCOPE_READ,
): string {
  const [key] = keyring.urlKeys;
  if (key === undefined)
    throw new ConfigurationError('jwtSecret is an empty list. Example: jwtSecret: process.env.JWT_SECRET');
  const expires = String(expiresAtSeconds);
  const query = new URLSearchParams({ [EXPIRES]: expires, [SIGNATURE]: sign(key, streamId, expires, scope) });
  if (scope !== undefined) query.set(SCOPE, scope);
  return query.toString();
}

/**
 * Verifies the query of a signed URL and returns what it permits.
 * @throws ProxyError `SIGNATURE_EXPIRED` if the URL has expired, whatever its signature (AUTH-6); `SIGNATURE_INVALID`
 * if the signature is wrong, or a parameter is malformed or repeated.
 */
export function verifySignedUrl(
  keyring: Keyring,
  streamId: string,
  query: URLSearchParams,
  nowMs = Date.now(),
): { scope: UrlScope } {
  const expires = single(query, EXPIRES);
  const signature = single(query, SIGNATURE);
  const scope = single(query, SCOPE);
  if (expires === undefined || !/^[1-9]\d{0,15}$/.test(expires)) throw invalid();
  if (signature === undefined || (scope !== undefined && scope !== SCOPE_READ)) throw invalid();
  if (nowMs / 1000 >= Number(expires)) throw unauthorized('SIGNATURE_EXPIRED', 'The signed URL has expired');

  // Compares the text instead of the decoded bytes: base64 has several spellings of some bytes.
  const given = Buffer.from(signature);
  let genuine = false;
  for (const key of keyring.urlKeys) {
    const known = Buffer.from(sign(key, streamId, expires, scope));
    genuine = (known.length === given.length && timingSafeEqual(known, given)) || genuine;
  }
  if (!genuine) throw invalid();
  return { scope: scope ?? 'all' };
}

/** Signs the parts as JSON, which separates them unambiguously. */
function sign(key: KeyObject, streamId: string, expires: string, scope: string | undefined): string {
  const message = JSON.stringify([streamId, expires, scope ?? null]);
  return createHmac('sha256', key).update(message).digest('base64url');
}

/**
 * Returns the value, or undefined if the parameter is absent. Rejects a repeated parameter, because another parser
 * could use a different one.
 */
function single(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) throw invalid();
  return values[0];
}

function invalid() {
  return unauthorized('SIGNATURE_INVALID', 'The signature does not belong to this URL');
}
