import { AS, LIVE } from '../protocol/query.ts';
import type { Context } from './context.ts';
import { createStream } from './create/create-stream.ts';
import { followName } from './follow/follow-name.ts';
import type { Exchange } from './http/exchange.ts';
import { readStream } from './read/read-stream.ts';
import { abortByKey } from './streams/abort-by-key.ts';
import { abortStream } from './streams/abort-stream.ts';
import { deleteStream } from './streams/delete-stream.ts';
import { findStream } from './streams/find-stream.ts';
import { headStream } from './streams/head-stream.ts';

/** Credentials that a route requires: service credentials, a signed URL, or a signed URL if the request has one. */
export type AuthPolicy = 'service' | 'signed' | 'signed-or-service';

export interface Route {
  readonly method: string;
  /** The mount itself, or one stream below it. */
  readonly at: 'base' | 'stream';
  readonly auth: AuthPolicy;
  /** The route is for requests with this query parameter only, and precedes the one for all others. */
  readonly param?: string;
  readonly handle: (exchange: Exchange, context: Context) => Promise<void>;
}

/** The operations of the protocol. OPTIONS is handled by the CORS middleware. */
export const ROUTES: readonly Route[] = [
  { method: 'POST', at: 'base', auth: 'service', handle: createStream },
  { method: 'GET', at: 'base', param: LIVE, auth: 'service', handle: followName },
  { method: 'GET', at: 'base', auth: 'service', handle: findStream },
  { method: 'PATCH', at: 'base', auth: 'service', handle: abortByKey },
  { method: 'GET', at: 'stream', auth: 'signed-or-service', handle: readStream },
  { method: 'HEAD', at: 'stream', param: AS, auth: 'signed-or-service', handle: readStream },
  { method: 'HEAD', at: 'stream', auth: 'service', handle: headStream },
  { method: 'PATCH', at: 'stream', auth: 'signed', handle: abortStream },
  { method: 'DELETE', at: 'stream', auth: 'service', handle: deleteStream },
];
