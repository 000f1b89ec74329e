import type { IncomingMessage } from 'node:http';
import { SECRET } from '../../protocol/query.ts';
import { ProxyError } from '../shared/errors.ts';
import { headerValues } from '../shared/header-fields.ts';
import type { MaybePromise } from '../shared/maybe-promise.ts';
import { silentLogger, type Logger } from '../shared/logger.ts';
import type { Keyring } from './keyring.ts';
import { verifyServiceToken } from './tokens.ts';
import { unauthorized } from './unauthorized.ts';

/** The app's own session check: a subject, or null for a stranger. */
export type Authenticate = (req: IncomingMessage) => MaybePromise<{ subject: string } | null | undefined>;

/** Who makes a request. */
export interface Caller {
  /** From a token or from `authenticate`; scopes keys, streams and limits. Absent for the plain secret. */
  readonly subject?: string;
  /** Allowlist patterns of a token, which narrow the server's. */
  readonly allow?: readonly string[];
  /** True for the plain secret: may do all. */
  readonly operator: boolean;
}

export interface ServiceAuthOptions {
  keyring: Keyring;
  authenticate?: Authenticate | undefined;
  /** Accepts the signing key itself as a credential. Default true. */
  acceptJwtSecret?: boolean;
  /** Accepts tokens of earlier versions, without the type of service tokens. Default false. */
  acceptLegacyTokens?: boolean;
  /** Reports faults of `authenticate`. Default: silent. */
  logger?: Logger;
}

export type ServiceAuth = (req: IncomingMessage, query: URLSearchParams) => Promise<Caller>;

/**
 * Makes the service check: `?secret=` or `Authorization: Bearer`, holding the secret or a service token.
 * With `authenticate`, a credential that verifies still counts (an operator's tools have no session), and
 * `authenticate` decides on every other request, whatever its headers hold.
 *
 * The check throws ProxyError `MISSING_SECRET`, `INVALID_SECRET`, or `INTERNAL_ERROR` when `authenticate`
 * itself fails.
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
      throw unauthorized('INVALID_SECRET', 'The request belongs to no session');
    }
  };
}

async function callerOf(
  { keyring, acceptJwtSecret = true, acceptLegacyTokens = false }: ServiceAuthOptions,
  credential: string,
): Promise<Caller> {
  if (keyring.isServiceSecret(credential)) return { operator: true };
  if (acceptJwtSecret && keyring.isSecret(credential)) return { operator: true };
  // Only what has the three parts of a signed JWT is judged as a token: a mistyped secret is told so.
  if (!/^[\w-]+\.[\w-]+\.[\w-]*$/.test(credential)) {
    throw unauthorized('INVALID_SECRET', 'The secret is wrong');
  }
  return {
    ...(await verifyServiceToken(keyring, credential, Date.now(), acceptLegacyTokens)),
    operator: false,
  };
}

/** The one credential of a request. More than one is refused: two readers could take different ones (RFC 6750, section 2). */
function credentialOf(req: IncomingMessage, query: URLSearchParams): string {
  const secrets = query.getAll(SECRET);
  const authorizations = headerValues(req, 'authorization');
  const bearer = /^bearer(?: +(?<credential>.*))?$/i.exec(authorizations[0] ?? '');
  if (secrets.length > 1) {
    throw unauthorized('INVALID_SECRET', `The query holds "${SECRET}" more than once`);
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
    const cause = new TypeError('authenticate must give { subject: "user-42" } or null');
    throw new ProxyError('INTERNAL_ERROR', 'The session could not be checked', { cause });
  }
  return session.subject;
}
