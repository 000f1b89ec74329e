import { UPSTREAM_STATUS } from '../protocol/headers.ts';
import type { Call } from './call.ts';
import type { StreamLink } from './stream-link.ts';
import type { DurableResponse } from './types.ts';

/** A Response around the answer's bytes, which looks as if it came from the upstream. */
export function streamResponse(
  call: Call,
  link: StreamLink,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  abort: () => Promise<void>,
  url: string,
): DurableResponse {
  const { status } = link.head!;
  // Those without a body (Fetch standard, section 2.2.6) cannot be given one, but it has to be read to its end.
  const isEmpty = status === 204 || status === 205;
  if (isEmpty) void new Response(body).text().catch(() => {});
  const init = { status, headers: headersOf(link) };
  return decorate(new Response(isEmpty ? null : body, init), call, url, abort, link);
}

/** The headers of the upstream's response, under their own names. */
export function headersOf({ head, contentType }: Pick<StreamLink, 'head' | 'contentType'>): Headers {
  const pairs = head!.headers as [string, string][];
  return new Headers(contentType ? [...pairs, ['content-type', contentType]] : pairs);
}

/** Returns the upstream's error with the upstream's status, or the proxy's own error. */
export function errorResponse(
  call: Call,
  url: string,
  refused: { readonly status: number; readonly headers: HeadersInit; readonly body: BodyInit },
): DurableResponse {
  const headers = new Headers(refused.headers);
  const told = headers.get(UPSTREAM_STATUS) ?? '';
  // The last two describe the bytes between proxy and fetch, which has decoded them.
  for (const name of [UPSTREAM_STATUS, 'content-encoding', 'content-length']) headers.delete(name);
  const status = /^[45]\d\d$/.test(told) ? Number(told) : refused.status;
  return decorate(new Response(refused.body, { status, headers }), call, url, async () => {});
}

function decorate(
  response: Response,
  call: Call,
  url: string,
  abort: () => Promise<void>,
  link?: StreamLink,
): DurableResponse {
  const own = {
    url: url.replace(/#.*/s, ''),
    streamId: link?.id,
    get streamUrl() {
      return link?.url;
    },
    get offset() {
      return call.resumption.offset;
    },
    upstreamContentType: link?.contentType,
    wasResumed: call.resumption.wasResumed,
    outcome: call.outcome,
    usage: call.outcome.then(() => call.resumption.usage),
    abort,
    clone: () => decorate(Response.prototype.clone.call(response), call, url, abort, link),
  } satisfies Partial<DurableResponse>;
  return Object.defineProperties(response, Object.getOwnPropertyDescriptors(own)) as DurableResponse;
}
