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
  readonly connection?: StreamConnection;
}

/** Returns a Response with the answer's bytes that looks as if it came from the upstream. */
export function streamResponse(
  source: ResponseSource & Required<Pick<ResponseSource, 'connection'>>,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): DurableResponse {
  const { connection } = source;
  const { status } = connection.head!;
  // These statuses cannot have a body (Fetch standard, section 2.2.6), but the stream has to be read to its end.
  const isEmpty = status === 204 || status === 205;
  if (isEmpty) void new Response(body).text().catch(() => {});
  return decorate(
    new Response(isEmpty ? null : body, { status, headers: headersOf(connection) }),
    source,
    connection,
  );
}

/** Returns the headers of the upstream's response, under their own names. */
export function headersOf({ head, contentType }: Pick<StreamConnection, 'head' | 'contentType'>): Headers {
  const pairs = head!.headers as [string, string][];
  return new Headers(contentType ? [...pairs, ['content-type', contentType]] : pairs);
}

/** Returns the upstream's error with the upstream's status, or the proxy's own error. */
export function errorResponse(
  { call, url }: ResponseSource,
  error: { readonly status: number; readonly headers: HeadersInit; readonly body: BodyInit },
): DurableResponse {
  const headers = new Headers(error.headers);
  const upstreamStatus = headers.get(UPSTREAM_STATUS) ?? '';
  // The last two describe the bytes between proxy and fetch, which has decoded them.
  for (const name of [UPSTREAM_STATUS, 'content-encoding', 'content-length']) headers.delete(name);
  const status = /^[45]\d\d$/.test(upstreamStatus) ? Number(upstreamStatus) : error.status;
  return decorate(new Response(error.body, { status, headers }), { call, url });
}

function decorate(
  response: Response,
  source: ResponseSource,
  connection?: StreamConnection,
): DurableResponse {
  const { call, url, abort = async () => {} } = source;
  const own = {
    url: url.replace(/#.*/s, ''),
    streamId: connection?.id,
    get streamUrl() {
      return connection?.url;
    },
    get offset() {
      return call.resumption.offset;
    },
    upstreamContentType: connection?.contentType,
    wasResumed: call.resumption.wasResumed,
    outcome: call.outcome,
    usage: call.outcome.then(() => call.resumption.usage),
    abort,
    clone: () => decorate(Response.prototype.clone.call(response), source, connection),
  } satisfies Partial<DurableResponse>;
  return Object.defineProperties(response, Object.getOwnPropertyDescriptors(own)) as DurableResponse;
}
