import type { Context } from '../context.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import type { BeginOptions } from './begin-options.ts';

/** Returns how to continue the stream of a 2xx response after a failure, or undefined if no recovery matches. */
export function recoverableOf(
  { store, recoveries, requestHeaders }: Context,
  { req, request, body, caller, streamId }: BeginOptions,
  { status, headers }: UpstreamAnswer,
): Recoverable | undefined {
  if (!store.annotate || !recoveries.isFor(headers['content-type'])) return undefined;
  const { url, method, authorization } = request;
  const exchange = {
    request: { url, method, body, headers: new Headers(requestHeaders(req.rawHeaders, authorization)) },
    response: {
      status,
      headers: new Headers(
        Object.entries(headers).filter((field): field is [string, string] => field[1] !== undefined),
      ),
    },
  };
  return recoveries.match(streamId, exchange, { subject: caller?.subject, allow: caller?.allow });
}
