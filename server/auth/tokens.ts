import { errors, jwtVerify, SignJWT, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { ConfigurationError } from '../shared/errors.ts';
import { checkNames } from '../shared/check-options.ts';
import { compileAllowlist } from '../upstream/allowlist.ts';
import { createKeyring, type Keyring } from './keyring.ts';
import { unauthorized } from './unauthorized.ts';

const ALGORITHM = 'HS256';

/**
 * `typ` of a service token (explicit typing, RFC 8725, section 3.11). Because of it, the proxy does not accept other
 * JWTs that an app signs with the same secret, such as password reset tokens.
 */
export const TOKEN_TYPE = 'durable-proxy+jwt';

/** Options of `createServiceToken`. */
export interface ServiceTokenOptions {
  /** The server's `jwtSecret`. If there are several, the first signs. */
  jwtSecret: string | readonly string[];
  /** Identifies the user that the token is for. Streams, keys and limits are separate for each subject. */
  subject: string;
  /** Seconds until the token expires. */
  expiresInSeconds: number;
  /**
   * Allowlist patterns. A URL must match these and the server's allowlist.
   * @default all URLs that the server allows
   */
  allow?: readonly string[] | undefined;
}

/** Claims of a verified token. */
export interface TokenClaims {
  readonly subject: string;
  readonly allow?: readonly string[];
  /** Unix time of the expiry in seconds. */
  readonly expiresAt: number;
}

/**
 * Creates a service token for a browser: a signed JWT for one subject that expires.
 * @param options the subject, the permitted URLs, and the lifetime.
 * @returns the token.
 * @throws ConfigurationError for invalid options.
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
 * Verifies a service token and returns its claims. `exp` and `sub` are required, no clock skew is tolerated, HS256 is
 * the only algorithm, and `typ` must be `durable-proxy+jwt`.
 * @param acceptLegacy also accepts the type "JWT", or none.
 * @throws ProxyError `INVALID_SECRET` with the reason. The message never contains the token.
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

/** Earlier versions created tokens of the type "JWT". Other libraries may omit it. */
function isOurs(type: string | undefined, acceptLegacy: boolean): boolean {
  const typ = type?.toLowerCase();
  return typ === TOKEN_TYPE || (acceptLegacy && (typ === undefined || typ === 'jwt'));
}

function claimsOf({ sub, allow, exp: expiresAt = 0 }: JWTPayload): TokenClaims {
  if (typeof sub !== 'string' || sub === '') throw refused('its "sub" is not a name');
  if (allow === undefined) return { subject: sub, expiresAt };
  try {
    compileAllowlist(allow as readonly string[]);
  } catch {
    throw refused('its "allow" is not a list of allowlist patterns');
  }
  return { subject: sub, expiresAt, allow: allow as readonly string[] };
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
