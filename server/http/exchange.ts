import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../shared/errors.ts';
import { headerValues } from '../shared/header-fields.ts';

/** One request and its answer, as handlers see them. */
export interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly query: URLSearchParams;
  /** Path of the mount, or the public URL: what a `Location` begins with. */
  readonly base: string;
  /** The stream in the path; empty where the route has none. */
  readonly streamId: string;
  /** Who asks; undefined when a signed URL does. */
  readonly caller: Caller | undefined;
}

/** Splits a request target, relative to the mount. The host of an absolute-form target says nothing to us. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const origin = /^https?:\/\/[^/?#]*/i.exec(target)?.[0] ?? '';
  const [path = '', ...rest] = target.slice(origin.length).split('?');
  return { path: path === '' ? '/' : path, query: new URLSearchParams(rest.join('?')) };
}

/**
 * The one value of a header, or undefined.
 * @throws ProxyError `INVALID_REQUEST` when it is there several times: none of them can be trusted to be meant.
 */
export function singleHeader(req: IncomingMessage, name: string): string | undefined {
  const values = headerValues(req, name);
  if (values.length > 1) {
    throw new ProxyError('INVALID_REQUEST', `Header ${name} was sent ${values.length} times. Send it once`);
  }
  return values[0];
}

/** The one value of a query parameter, or undefined; several are refused as in `singleHeader`. */
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
