import { errors, jwtVerify, SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { ConfigurationError } from '../shared/errors.ts';
import { checkNames } from '../shared/check-options.ts';
import { compileAllowlist } from '../upstream/allowlist.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { unauthorized } from './unauthorized.ts';

const ALGORITHM = 'HS256';

/**
 * `typ` of a service token (explicit typing, RFC 8725, section 3.11). It keeps other JWTs that an app signs with the
 * same secret, such as password reset tokens, from being credentials of the proxy.
 */
export const TOKEN_TYPE = 'durable-proxy+jwt';

/** Options of `createServiceToken`. */
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
 * @param options whom the token is for, what it permits, and for how long.
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
  if (key === undefined)
    throw new ConfigurationError('jwtSecret is an empty list. Example: jwtSecret: process.env.JWT_SECRET');
  if (typeof subject !== 'string' || subject === '') {
    throw new ConfigurationError('subject must be a non-empty string. Example: subject: user.id');
  }
  if (!Number.isFinite(expiresInSeconds) || expiresInSeconds <= 0) {
    throw new ConfigurationError(
      'expiresInSeconds must be a number above 0. Example: expiresInSeconds: 3600',
    );
  }
  if (allow !== undefined) compileAllowlist(allow);
  const nowSeconds = Math.floor(Date.now() / 1000);
  return new SignJWT(allow === undefined ? {} : { allow: [...allow] })
    .setProtectedHeader({ alg: ALGORITHM, typ: TOKEN_TYPE })
    .setSubject(subject)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + Math.ceil(expiresInSeconds))
    .sign(key);
}

/**
 * Checks a service token and tells whom it speaks for. `exp` and `sub` are required, no clock skew is
 * forgiven, HS256 is the only algorithm, and `typ` must be `durable-proxy+jwt`.
 * @param acceptLegacy accepts the type "JWT", or none, too.
 * @throws ProxyError `INVALID_SECRET` with a message that says why; it never holds the token.
 */
export async function verifyServiceToken(
  keyring: Keyring,
  token: string,
  nowMs = Date.now(),
  acceptLegacy = false,
): Promise<TokenClaims> {
  for (const key of keyring.tokenKeys) {
    let payload: JWTPayload;
    let protectedHeader: JWTHeaderParameters;
    try {
      ({ payload, protectedHeader } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        requiredClaims: ['exp', 'sub'],
        currentDate: new Date(nowMs),
      }));
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue;
      throw refused(reasonOf(error));
    }
    if (!isOurs(protectedHeader.typ, acceptLegacy)) throw refused(`its "typ" is not "${TOKEN_TYPE}"`);
    return claimsOf(payload);
  }
  throw refused('its signature does not match');
}

/** Earlier versions made tokens of the type "JWT", and other libraries may have left it out. */
function isOurs(type: string | undefined, acceptLegacy: boolean): boolean {
  const typ = type?.toLowerCase();
  return typ === TOKEN_TYPE || (acceptLegacy && (typ === undefined || typ === 'jwt'));
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
