import { UPSTREAM_STATUS } from '../protocol/headers.ts';
import type { Call } from './call.ts';
import type { StreamConnection } from './stream-connection.ts';
import type { DurableResponse } from './types.ts';

/** Where a response comes from. */
export interface ResponseSource {
  readonly call: Call;
  /** URL of the upstream request, empty if it is not known. */
  readonly url: string;
  /** Stops the upstream. Undefined for an error response, which has nothing to stop. */
  readonly abort?: () => Promise<void>;
  /** Media type that the upstream sent. */
  readonly contentType?: string | undefined;
  /** Undefined for an error response, which has no stream. */
  readonly connection?: StreamConnection;
}

/** What a response contains. */
export interface ResponseParts {
  readonly status: number;
  readonly headers: Headers;
  readonly body: BodyInit;
}

/** Returns a Response that looks as if it came from the upstream. */
export function createResponse(source: ResponseSource, { body, ...head }: ResponseParts): DurableResponse {
  // These statuses cannot have a body (Fetch standard, section 2.2.6), but the stream has to be read to its end.
  const isEmpty = head.status === 204 || head.status === 205;
  if (isEmpty) void new Response(body).text().catch(() => {});
  return decorate(new Response(isEmpty ? null : body, head), source);
}

/** Returns status and headers for an error response to a create: of the upstream if the error is the upstream's. */
export function errorHead(response: Response): Omit<ResponseParts, 'body'> {
  const headers = new Headers(response.headers);
  const upstreamStatus = headers.get(UPSTREAM_STATUS) ?? '';
  // The last two describe the bytes between proxy and fetch, which has decoded them.
  for (const name of [UPSTREAM_STATUS, 'content-encoding', 'content-length']) headers.delete(name);
  return { status: /^[45]\d\d$/.test(upstreamStatus) ? Number(upstreamStatus) : response.status, headers };
}

function decorate(response: Response, source: ResponseSource): DurableResponse {
  const { call, connection } = source;
  const own = {
    url: source.url.replace(/#.*/s, ''),
    streamId: connection?.id,
    get streamUrl() {
      return connection?.url;
    },
    get offset() {
      return call.resumption.offset;
    },
    upstreamContentType: source.contentType,
    wasResumed: call.resumption.wasResumed,
    outcome: call.outcome,
    usage: call.outcome.then(() => call.resumption.usage),
    abort: source.abort ?? (async () => {}),
    clone: () => decorate(Response.prototype.clone.call(response), source),
  } satisfies Partial<DurableResponse>;
  return Object.defineProperties(response, Object.getOwnPropertyDescriptors(own)) as DurableResponse;
}
