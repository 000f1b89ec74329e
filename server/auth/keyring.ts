import {
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
  type KeyObject,
} from 'node:crypto';
import { ConfigurationError } from '../shared/errors.ts';
import { nameValue, wrongPart } from '../shared/option-spec.ts';

const RIGHT_FORM = 'jwtSecret: process.env.JWT_SECRET, or [newSecret, oldSecret] while you rotate';
/** The end of a message about a secret that is missing or too short. */
export const CREATE_SECRET = 'Create a secret with: openssl rand -base64 32';

const SET_SECRET = `Set the environment variable JWT_SECRET, and pass jwtSecret: process.env.JWT_SECRET. ${CREATE_SECRET}`;

/**
 * HKDF `info` of each kind of key, so that keys derived from the same secret are independent (RFC 5869, section 3.2).
 */
const URL_KEY_INFO = 'durable-proxy signed url v1';
const SEAL_KEY_INFO = 'durable-proxy sealed request v1';

/** The keys of one `jwtSecret`. The first signs, all verify. */
export interface Keyring {
  /** Returns true for one of the secrets. Takes the same time for all candidates of one length. */
  isSecret(candidate: string): boolean;
  /** Returns true for the service secret that `deriveServiceSecret` derives from one of the secrets. */
  isServiceSecret(candidate: string): boolean;
  /** Keys that sign URLs. */
  readonly urlKeys: readonly KeyObject[];
  /** Keys that sign service tokens: the secrets themselves, so that any JWT library can issue tokens. */
  readonly tokenKeys: readonly Uint8Array[];
  /** Keys of 32 bytes that encrypt upstream requests in the metadata of streams. */
  readonly sealKeys: readonly Uint8Array[];
}

/**
 * Derives all keys from the secrets.
 * @param jwtSecret one secret or several. The first signs, all verify.
 * @throws ConfigurationError if there is no secret, or one that cannot be sent in a header.
 */
export function createKeyring(jwtSecret: string | readonly string[]): Keyring {
  const secrets: readonly unknown[] = Array.isArray(jwtSecret) ? jwtSecret : [jwtSecret];
  if (secrets.length === 0)
    throw new ConfigurationError(`jwtSecret is an empty list. Example: ${RIGHT_FORM}`);
  const tokenKeys = secrets.map((secret, index) => {
    if (secrets !== jwtSecret || isText(secret)) return bytesOf(secret);
    throw wrongPart(
      'jwtSecret',
      'a list of non-empty strings',
      `entry ${index} is ${nameValue(secret)}`,
      RIGHT_FORM,
    );
  });

  // HMACs under a random key have the same length and reveal no common prefix, so `timingSafeEqual` can compare them.
  const digestKey = randomBytes(32);
  const digest = (bytes: Uint8Array) => createHmac('sha256', digestKey).update(bytes).digest();
  const digests = tokenKeys.map(digest);
  const derived = tokenKeys.map((key) => digest(Buffer.from(serviceSecretOf(key))));
  const isOneOf = (known: readonly Buffer[], candidate: string): boolean => {
    const given = digest(Buffer.from(candidate));
    let found = false;
    for (const each of known) found = timingSafeEqual(each, given) || found;
    return found;
  };

  return Object.freeze({
    isSecret: (candidate: string) => isOneOf(digests, candidate),
    isServiceSecret: (candidate: string) => isOneOf(derived, candidate),
    urlKeys: Object.freeze(tokenKeys.map(urlKey)),
    tokenKeys: Object.freeze(tokenKeys),
    sealKeys: Object.freeze(
      tokenKeys.map((key) => new Uint8Array(hkdfSync('sha256', key, '', SEAL_KEY_INFO, 32))),
    ),
  });
}

const SERVICE_SECRET_INFO = 'durable-proxy service secret v1';

function serviceSecretOf(secret: Uint8Array): string {
  return Buffer.from(hkdfSync('sha256', secret, '', SERVICE_SECRET_INFO, 32)).toString('base64url');
}

/**
 * Derives the service secret: a bearer credential for servers that call the proxy and do not need the signing key. As
 * a credential it has the same rights as the signing key, but it cannot sign URLs or tokens (HKDF, RFC 5869). The
 * proxy accepts it without further options.
 * @param jwtSecret the server's `jwtSecret`. If there are several, the first is used.
 * @returns 43 characters of base64url.
 * @throws ConfigurationError if `jwtSecret` is not usable.
 */
export function deriveServiceSecret(jwtSecret: string | readonly string[]): string {
  const [key] = createKeyring(jwtSecret).tokenKeys;
  if (key === undefined)
    throw new ConfigurationError('jwtSecret is an empty list. Example: jwtSecret: process.env.JWT_SECRET');
  return serviceSecretOf(key);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function bytesOf(secret: unknown): Uint8Array {
  // The example alone would not help: a caller whose environment lacks the variable has written it already.
  if (secret === undefined || secret === null || secret === '')
    throw new ConfigurationError(`jwtSecret is ${nameValue(secret)}. ${SET_SECRET}`);
  if (!isText(secret)) {
    throw new ConfigurationError(
      `jwtSecret must be a non-empty string, not ${nameValue(secret, 'this')}. Example: ${RIGHT_FORM}`,
    );
  }
  // A header cannot carry such a secret. A common cause is the newline at the end of a file.
  if (secret !== secret.trim() || /\p{Cc}/u.test(secret)) {
    throw new ConfigurationError(
      `jwtSecret must not begin or end with white space or contain control characters. Example: ${RIGHT_FORM}`,
    );
  }
  return new TextEncoder().encode(secret);
}

function urlKey(secret: Uint8Array): KeyObject {
  return createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', URL_KEY_INFO, 32)));
}
