import type { IncomingMessage } from 'node:http';
import { SECRET } from '../../protocol/query.ts';
import { ProxyError } from '../shared/errors.ts';
import { headerValues } from '../shared/header-fields.ts';
import type { MaybePromise } from '../shared/maybe-promise.ts';
import { silentLogger, type Logger } from '../shared/logger.ts';
import type { Keyring } from './keyring.ts';
import { verifyServiceToken } from './tokens.ts';
import { unauthorized } from './unauthorized.ts';

/**
 * Checks the app's own session. Returns the subject, or null for a visitor without a session.
 * @param req the HTTP request of the caller.
 */
export type Authenticate = (req: IncomingMessage) => MaybePromise<{ subject: string } | null | undefined>;

/** The authenticated sender of a request. */
export interface Caller {
  /** Subject of the token or session; scopes keys, streams and limits. Undefined for the plain secret. */
  readonly subject?: string;
  /** Allowlist patterns of the token. A URL must match these and the server's allowlist. */
  readonly allow?: readonly string[];
  /** Unix time of the token's expiry in seconds. Undefined for a secret and for a session. */
  readonly expiresAt?: number;
  /** True for the plain secret, which has access to all streams. */
  readonly operator: boolean;
}

export interface ServiceAuthOptions {
  keyring: Keyring;
  authenticate?: Authenticate | undefined;
  /**
   * Accepts the signing key itself as a credential.
   * @default true
   */
  acceptJwtSecret?: boolean;
  /**
   * Accepts tokens of earlier versions, whose `typ` is "JWT" or absent.
   * @default false
   */
  acceptLegacyTokens?: boolean;
  /**
   * Logs exceptions of `authenticate`.
   * @default a logger that discards everything
   */
  logger?: Logger;
}

export type ServiceAuth = (req: IncomingMessage, query: URLSearchParams) => Promise<Caller>;

/**
 * Creates the check of service credentials: the secret or a service token, in `Authorization: Bearer` or `?secret=`. If
 * `authenticate` is set, it decides about requests without a valid credential, whatever their headers.
 *
 * The check throws ProxyError `MISSING_SECRET` or `INVALID_SECRET`, or `INTERNAL_ERROR` if `authenticate` fails.
 */
export function createServiceAuth(options: ServiceAuthOptions): ServiceAuth {
  const { authenticate, logger = silentLogger } = options;
  return async function serviceAuth(req, query) {
    try {
      return await callerOf(options, credentialOf(req, query));
    } catch (refusal) {
      if (authenticate === undefined) throw refusal;
      const subject = await subjectOf(authenticate, req, logger);
      if (subject !== undefined) return { subject, operator: false };
      if (refusal instanceof ProxyError && refusal.code === 'INVALID_SECRET') throw refusal;
      throw unauthorized('INVALID_SECRET', 'The request has no valid session');
    }
  };
}

async function callerOf(
  { keyring, acceptJwtSecret = true, acceptLegacyTokens = false }: ServiceAuthOptions,
  credential: string,
): Promise<Caller> {
  if (keyring.isServiceSecret(credential)) return { operator: true };
  if (acceptJwtSecret && keyring.isSecret(credential)) return { operator: true };
  // Only a credential with the three parts of a JWT is verified as a token, so that a mistyped secret gets the right
  // message.
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential)) {
    throw unauthorized('INVALID_SECRET', 'The secret is wrong');
  }
  return {
    ...(await verifyServiceToken(keyring, credential, Date.now(), acceptLegacyTokens)),
    operator: false,
  };
}

/**
 * Returns the credential of a request. Rejects more than one, because another parser could use a different one (RFC
 * 6750, section 2).
 */
function credentialOf(req: IncomingMessage, query: URLSearchParams): string {
  const secrets = query.getAll(SECRET);
  const authorizations = headerValues(req, 'authorization');
  const bearer = /^bearer(?: +(?<credential>.*))?$/i.exec(authorizations[0] ?? '');
  if (secrets.length > 1) {
    throw unauthorized('INVALID_SECRET', `The query contains "${SECRET}" more than once`);
  }
  if (authorizations.length > 1) {
    throw unauthorized('INVALID_SECRET', 'The request has more than one Authorization header');
  }
  if (secrets.length === 1 && bearer !== null) {
    throw unauthorized('INVALID_SECRET', `Send either "?${SECRET}=" or Authorization, not both`);
  }
  if (secrets.length === 0 && authorizations.length === 1 && bearer === null) {
    throw unauthorized('INVALID_SECRET', 'Authorization must be "Bearer <secret or service token>"');
  }
  const credential = secrets[0] ?? bearer?.groups?.['credential'];
  if (credential === undefined || credential === '') {
    throw unauthorized('MISSING_SECRET', `Send "Authorization: Bearer <secret or service token>"`);
  }
  return credential;
}

async function subjectOf(
  authenticate: Authenticate,
  req: IncomingMessage,
  logger: Logger,
): Promise<string | undefined> {
  let session;
  try {
    session = await authenticate(req);
  } catch (cause) {
    throw new ProxyError('INTERNAL_ERROR', 'The session could not be checked', { cause });
  }
  if (session === null || session === undefined) return undefined;
  const { subject } = session as { subject?: unknown };
  if (typeof session === 'object' && (subject === undefined || subject === null || subject === '')) {
    logger.error({}, 'authenticate returned no subject; return null for a visitor without a session');
    return undefined;
  }
  if (typeof session.subject !== 'string') {
    const cause = new TypeError('authenticate must return { subject: "user-42" } or null');
    throw new ProxyError('INTERNAL_ERROR', 'The session could not be checked', { cause });
  }
  return session.subject;
}
