import { errors, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import { ConfigurationError } from '../errors.ts';
import { checkNames } from '../options/check.ts';
import { compileAllowlist } from '../upstream/allowlist.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { unauthorized } from './unauthorized.ts';

const ALGORITHM = 'HS256';

export interface ServiceTokenOptions {
  /** The server's `jwtSecret`; of several the first signs. */
  jwtSecret: string | readonly string[];
  /** Whom the token is for. Streams, keys and limits are theirs alone. */
  subject: string;
  /** Seconds from now until the token is refused. */
  expiresInSeconds: number;
  /** Allowlist patterns that narrow the server's. Default: whatever the server allows. */
  allow?: readonly string[] | undefined;
}

/** Whom a verified token speaks for. */
export interface TokenClaims {
  readonly subject: string;
  readonly allow?: readonly string[];
}

/**
 * Makes what a browser gets instead of the secret: a signed, expiring JWT for one subject.
 * @throws ConfigurationError for options that make no valid token.
 */
export async function createServiceToken(options: ServiceTokenOptions): Promise<string> {
  const names = ['jwtSecret', 'subject', 'expiresInSeconds', 'allow'];
  checkNames(
    'createServiceToken',
    names,
    options,
    "createServiceToken({ jwtSecret, subject: 'user-42', expiresInSeconds: 3600 })",
  );
  const { jwtSecret, subject, expiresInSeconds, allow } = options;
  const [key] = createKeyring(jwtSecret).tokenKeys;
  if (key === undefined) throw new ConfigurationError('jwtSecret is an empty list');
  if (typeof subject !== 'string' || subject === '') {
    throw new ConfigurationError('subject must say whom the token is for, like "user-42"');
  }
  if (!Number.isFinite(expiresInSeconds) || expiresInSeconds <= 0) {
    throw new ConfigurationError('expiresInSeconds must be a number above 0, like 3600');
  }
  if (allow !== undefined) compileAllowlist(allow);
  const nowSeconds = Math.floor(Date.now() / 1000);
  return new SignJWT(allow === undefined ? {} : { allow: [...allow] })
    .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
    .setSubject(subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + Math.ceil(expiresInSeconds))
    .sign(key);
}

/**
 * Checks a service token and tells whom it speaks for. `exp` and `sub` are required, no clock skew is
 * forgiven, and HS256 is the only algorithm.
 * @throws ProxyError `INVALID_SECRET` with a message that says why; it never holds the token.
 */
export async function verifyServiceToken(
  keyring: Keyring,
  token: string,
  nowMs = Date.now(),
): Promise<TokenClaims> {
  for (const key of keyring.tokenKeys) {
    let payload: JWTPayload;
    try {
      ({ payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(nowMs),
      }));
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      throw refused(reasonOf(error));
    }
    return claimsOf(payload);
  }
  throw refused('its signature does not match');
}

function claimsOf({ sub, allow }: JWTPayload): TokenClaims {
  if (typeof sub !== 'string' || sub === '') throw refused('its "sub" is not a name');
  if (allow === undefined) return { subject: sub };
  try {
    compileAllowlist(allow as readonly string[]);
  } catch {
    throw refused('its "allow" is not a list of allowlist patterns');
  }
  return { subject: sub, allow: allow as readonly string[] };
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JOSEAlgNotAllowed) return `its algorithm is not ${ALGORITHM}`;
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `it has no "${error.claim}"`;
    if (error.claim === 'nbf' && error.reason === 'check_failed') return 'it is not valid yet';
    return `its "${error.claim}" is not valid`;
  }
  return 'it is malformed';
}

function refused(reason: string) {
  return unauthorized('INVALID_SECRET', `The service token is refused: ${reason}`);
}
