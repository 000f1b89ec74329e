import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  COMPACT_EVENTS,
  IDEMPOTENCY_KEY,
  PREFER,
  PREFER_UPSTREAM_STATUS,
  RESPOND_ASYNC,
  RETURN_REPRESENTATION,
  STREAM_KEY,
  UNREAD_TIMEOUT,
  UPSTREAM_AUTHORIZATION,
  UPSTREAM_METHOD,
  UPSTREAM_URL,
} from '../../protocol/headers.ts';
import { KEY, UPSTREAM_METHODS } from '../../protocol/query.ts';
import { ProxyError } from '../shared/errors.ts';
import { singleHeader, singleParam } from '../http/exchange.ts';
import { headerValues } from '../shared/header-fields.ts';
import { parsePrefer } from '../http/prefer.ts';
import { parseUnreadTimeout } from '../unread/timeout.ts';

/** Maximum length of `Idempotency-Key` and `Stream-Key` in bytes. */
const MAX_KEY_BYTES = 512;

/** The parsed headers of a create. */
export interface CreateRequest {
  readonly url: string;
  readonly method: string;
  readonly authorization: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly streamKey: string | undefined;
  /** `Unread-Timeout` in milliseconds; `Infinity` for `infinite`. */
  readonly unreadTimeoutMs: number | undefined;
  /** `Prefer: return=representation`: the response has the SSE read as its body. */
  readonly wantsBody: boolean;
  /** `Prefer: events=compact`: that body has compact events. */
  readonly wantsCompactEvents: boolean;
  /** `Prefer: upstream-status`: an upstream's error keeps its own status. */
  readonly wantsUpstreamStatus: boolean;
  /** `Prefer: respond-async`: the response does not wait for the upstream. */
  readonly wantsAsync: boolean;
}

/**
 * Parses the headers of a create in the protocol's order: presence, method, then (by the caller) URL and allowlist.
 * @throws ProxyError `MISSING_UPSTREAM_URL`, `MISSING_UPSTREAM_METHOD`, `INVALID_UPSTREAM_METHOD`, `INVALID_REQUEST`.
 */
export function parseCreate(req: IncomingMessage): CreateRequest {
  const url = singleHeader(req, UPSTREAM_URL);
  if (!url) {
    throw new ProxyError(
      'MISSING_UPSTREAM_URL',
      `The header ${UPSTREAM_URL} is missing. Example: ${UPSTREAM_URL}: https://api.example.com/v1/…`,
    );
  }
  const method = singleHeader(req, UPSTREAM_METHOD);
  if (!method)
    throw new ProxyError(
      'MISSING_UPSTREAM_METHOD',
      `The header ${UPSTREAM_METHOD} is missing. Example: ${UPSTREAM_METHOD}: POST`,
    );
  if (!UPSTREAM_METHODS.includes(method)) {
    throw new ProxyError(
      'INVALID_UPSTREAM_METHOD',
      `${UPSTREAM_METHOD} must be one of ${UPSTREAM_METHODS.join(', ')}`,
    );
  }
  const preferences = parsePrefer(headerValues(req, PREFER));
  const prefers = (preference: string) => {
    const [name = '', value = ''] = preference.split('=');
    return preferences.get(name)?.toLowerCase() === value;
  };
  return {
    url,
    method,
    authorization: singleHeader(req, UPSTREAM_AUTHORIZATION),
    idempotencyKey: keyHeader(req, IDEMPOTENCY_KEY),
    streamKey: keyHeader(req, STREAM_KEY),
    unreadTimeoutMs: parseUnreadTimeout(singleHeader(req, UNREAD_TIMEOUT)),
    wantsBody: prefers(RETURN_REPRESENTATION),
    wantsCompactEvents: prefers(COMPACT_EVENTS),
    wantsUpstreamStatus: prefers(PREFER_UPSTREAM_STATUS),
    wantsAsync: prefers(RESPOND_ASYNC),
  };
}

/**
 * Returns the `Idempotency-Key` or `Stream-Key` of a request, decoded as UTF-8.
 * @throws ProxyError `INVALID_REQUEST` if the header is repeated or its length is not 1 to 512 bytes.
 */
export function keyHeader(req: IncomingMessage, name: string): string | undefined {
  const value = singleHeader(req, name);
  if (value === undefined) return undefined;
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length === 0 || bytes.length > MAX_KEY_BYTES) {
    throw new ProxyError('INVALID_REQUEST', `${name} must have 1 to ${MAX_KEY_BYTES} bytes`);
  }
  return bytes.toString('utf8');
}

/**
 * Returns the `Stream-Key` in the query of a find, or undefined if it is absent or empty.
 * @throws ProxyError `INVALID_REQUEST` if the parameter is repeated or longer than 512 bytes.
 */
export function keyParam(query: URLSearchParams): string | undefined {
  const name = singleParam(query, KEY);
  if (name !== undefined && Buffer.byteLength(name) > MAX_KEY_BYTES) {
    throw new ProxyError('INVALID_REQUEST', `${KEY} must have 1 to ${MAX_KEY_BYTES} bytes`);
  }
  return name === '' ? undefined : name;
}

/**
 * Returns a hash of the parts that make two creates equal, so that they may share one upstream call. Excludes the
 * authorization, because a token may be renewed between two attempts.
 */
export function fingerprintOf(request: CreateRequest, body: Buffer | undefined): string {
  const hash = createHash('sha256').update(JSON.stringify([request.method, request.url]));
  if (body) hash.update(body);
  return hash.digest('hex');
}
