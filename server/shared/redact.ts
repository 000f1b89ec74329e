import type { IncomingMessage } from 'node:http';
import { SECRET, SIGNATURE } from '../../protocol/query.ts';
import { headerFields } from './header-fields.ts';

/** Header names whose values are credentials, such as `Authorization`, `x-api-key`, `Cookie`, `x-amz-security-token`. */
const SENSITIVE = /auth|key|token|secret|cookie|password|signature|credential/i;
/** Shorter values are not credentials, and may be part of ordinary words. */
const MIN_LENGTH = 6;
/** Depth to which causes and properties of an error are searched. */
const MAX_DEPTH = 5;
/** Maximum number of objects of one error that are searched. */
const MAX_OBJECTS = 1_000;
const REDACTED = '[redacted]';

/** Returns true for the name of a header whose value is a credential. */
export function isSensitive(name: string): boolean {
  return SENSITIVE.test(name);
}

/** Returns the values of headers that contain credentials, with and without their scheme or cookie name. */
export function secretsOfHeaders(headers: Iterable<readonly [name: string, value: string]>): string[] {
  const secrets: string[] = [];
  for (const [name, value] of headers) {
    if (!isSensitive(name)) continue;
    secrets.push(value);
    if (/cookie/i.test(name)) for (const cookie of value.split(/;\s*/)) secrets.push(cookie);
  }
  // Removes the scheme or the cookie name: "Bearer sk-…" and "session=…".
  return secrets.flatMap((secret) => [secret, secret.replace(/^[\w-]+(?:\s+|=)/, '')]);
}

/** Returns the credentials of a request to the proxy. */
export function secretsOfRequest(req: Pick<IncomingMessage, 'rawHeaders' | 'url'>): string[] {
  const query = new URLSearchParams((req.url ?? '').split('?').slice(1).join('?'));
  return [
    ...secretsOfHeaders(headerFields(req.rawHeaders)),
    ...query.getAll(SECRET),
    ...query.getAll(SIGNATURE),
  ];
}

/**
 * Replaces credentials in the text of an error, its causes and its properties, also in URL and JSON encoding. HTTP
 * clients add the request, and with it the provider's key, to their errors.
 * @returns the same value if it contains none of them, else a copy.
 */
export function redact<T>(value: T, secrets: readonly string[]): T {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_LENGTH)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  // Longest first: otherwise, a secret that is a prefix of another would leave the rest of it.
  const longestFirst = [...new Set(forms)].sort((a, b) => b.length - a.length);
  return longestFirst.length === 0
    ? value
    : (copyWithout(value, { secrets: longestFirst, left: MAX_OBJECTS }, MAX_DEPTH) as T);
}

interface Search {
  readonly secrets: readonly string[];
  /** Remaining number of objects to search: the error of an HTTP client may refer to its sockets. */
  left: number;
}

function copyWithout(value: unknown, search: Search, depth: number): unknown {
  if (typeof value === 'string')
    return search.secrets.reduce((text, secret) => text.replaceAll(secret, REDACTED), value);
  if (typeof value !== 'object' || value === null) return value;
  // Values that are not searched are replaced.
  if (depth === 0 || search.left === 0 || ArrayBuffer.isView(value)) return REDACTED;
  search.left -= 1;
  const names = Object.getOwnPropertyNames(value);
  const changed = new Map<string, unknown>();
  for (const name of names) {
    const own = propertyOf(value, name);
    const clean = copyWithout(own, search, depth - 1);
    if (clean !== own) changed.set(name, clean);
  }
  if (changed.size === 0) return value;
  if (Array.isArray(value)) return value.map((own: unknown, index) => changed.get(String(index)) ?? own);
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as object;
  for (const name of names) {
    const { enumerable = true } = Object.getOwnPropertyDescriptor(value, name) ?? {};
    const own = changed.has(name) ? changed.get(name) : propertyOf(value, name);
    Object.defineProperty(copy, name, { value: own, enumerable, writable: true, configurable: true });
  }
  return copy;
}

function propertyOf(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch {
    // A getter that throws has no value to log.
    return undefined;
  }
}
