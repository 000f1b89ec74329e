import { digestText } from './fingerprint.ts';
import type { DurableFetchOptions, ProxyAuthorization } from './types.ts';

/** Who makes a request. */
export interface Caller {
  /** Empty if the caller is unknown: a session cookie identifies the user, and the option `scope` is not set. */
  readonly scope: string;
  readonly proxyAuthorization: ProxyAuthorization | undefined;
}

/** Hashes of scopes, by scope. A scope is hashed once, so that a stop in a page that closes does not wait for it. */
export type ScopeKeys = Map<string, Promise<string>>;

/**
 * Returns issuer and subject of a JWT, which stay the same when it is renewed; undefined if it is not one. The signature
 * is for the server to verify: here the result only separates what is stored.
 */
export function jwtSubject(authorization = ''): string | undefined {
  try {
    const claims = atob(authorization.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/'));
    const { iss, sub } = JSON.parse(claims) as Record<string, unknown>;
    if (sub) return JSON.stringify([iss, sub]);
  } catch {
    // Not a JWT.
  }
  return undefined;
}

/** Returns whom an authorization identifies: the subject of a JWT, else all of its text. */
export function subjectOf(authorization = ''): string {
  return jwtSubject(authorization) ?? authorization;
}

/**
 * Resolves the caller. A function for the authorization is called once, and what it returns is also used for the first
 * request.
 * @throws what the function throws.
 */
export async function callerOf({
  scope,
  proxyAuthorization: ask,
}: Pick<DurableFetchOptions, 'scope' | 'proxyAuthorization'>): Promise<Caller> {
  if (scope !== undefined || typeof ask !== 'function')
    return { scope: scope ?? subjectOf(ask as string), proxyAuthorization: ask };
  let first = await ask();
  return {
    scope: subjectOf(first),
    proxyAuthorization() {
      const authorization = first ?? ask();
      first = undefined;
      return authorization;
    },
  };
}

/** Returns the hash of a scope for keys of storages: a scope may be a secret or an email address. */
export function scopeKey(scope: string, keys: ScopeKeys): Promise<string> {
  const key = keys.get(scope) ?? digestText(scope);
  keys.set(scope, key);
  return key;
}
