import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../shared/errors.ts';
import { headerValues } from '../shared/header-fields.ts';

/** One request and its response, as handlers see them. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  /** Path of the mount, or the public URL. `Location` begins with it. */
  readonly base: string;
  /** Id of the stream in the path; empty for routes without one. */
  readonly streamId: string;
  /** The authenticated caller; undefined for a request with a signed URL. */
  readonly caller: Caller | undefined;
}

/** Splits a request target below the mount into path and query. Ignores the host of an absolute-form target. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? '';
  const [path = '', ...rest] = target.slice(origin.length).split('?');
  return { path: path === '' ? '/' : path, query: new URLSearchParams(rest.join('?')) };
}

/**
 * Returns the value of a header, or undefined.
 * @throws ProxyError `INVALID_REQUEST` if the header is repeated, because another parser could use a different value.
 */
export function singleHeader(req: IncomingMessage, name: string): string | undefined {
  const values = headerValues(req, name);
  if (values.length > 1) {
    throw new ProxyError('INVALID_REQUEST', `Header ${name} was sent ${values.length} times. Send it once`);
  }
  return values[0];
}

/**
 * Returns the value of a query parameter, or undefined.
 * @throws ProxyError `INVALID_REQUEST` if the parameter is repeated.
 */
export function singleParam(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name);
  if (values.length > 1) {
    throw new ProxyError(
      'INVALID_REQUEST',
      `Parameter ${name} was sent ${values.length} times. Send it once`,
    );
  }
  return values[0];
}
