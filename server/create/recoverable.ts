import type { Context } from '../context.ts';
import type { Recoverable } from '../recovery/recoveries.ts';
import type { UpstreamResponse } from '../upstream/client.ts';
import type { BeginOptions } from './begin-options.ts';

/** Returns how to continue the stream of a 2xx response after a failure, or undefined if no recovery matches. */
export function recoverableOf(
  { store, recoveries, requestHeaders }: Pick<Context, 'store' | 'recoveries' | 'requestHeaders'>,
  { req, request, body, caller, streamId }: BeginOptions,
  { status, headers }: UpstreamResponse,
): Recoverable | undefined {
  if (!store.annotate || !recoveries.isFor(headers['content-type'])) return undefined;
  const { url, method, authorization } = request;
  const answered = {
    ...{ url, method, body, status },
    headers: requestHeaders(req.rawHeaders, authorization),
    responseHeaders: Object.entries(headers).filter(
      (field): field is [string, string] => field[1] !== undefined,
    ),
  };
  return recoveries.match(streamId, answered, { subject: caller?.subject, allow: caller?.allow });
}
