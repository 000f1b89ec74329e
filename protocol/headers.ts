/**
 * Every header name on the wire, in one place. HTTP compares names without case (RFC 9110, section 5.1);
 * these are the spellings that we send and that Node's `res.setHeader` keeps.
 */

/** Headers of the Durable Streams base protocol, as our read path speaks it. */
export const STREAM_NEXT_OFFSET = 'Stream-Next-Offset';
export const STREAM_UP_TO_DATE = 'Stream-Up-To-Date';
export const STREAM_CLOSED = 'Stream-Closed';
export const STREAM_CURSOR = 'Stream-Cursor';
export const STREAM_TTL = 'Stream-TTL';
export const STREAM_EXPIRES_AT = 'Stream-Expires-At';
export const STREAM_SSE_DATA_ENCODING = 'Stream-SSE-Data-Encoding';

/** Headers of the proxy protocol. */
export const UPSTREAM_URL = 'Upstream-URL';
export const UPSTREAM_METHOD = 'Upstream-Method';
export const UPSTREAM_AUTHORIZATION = 'Upstream-Authorization';
export const UPSTREAM_CONTENT_TYPE = 'Upstream-Content-Type';
export const UPSTREAM_STATUS = 'Upstream-Status';

/** Headers of our extensions. `Idempotency-Key` is draft-ietf-httpapi-idempotency-key-header. */
export const UPSTREAM_HEADERS = 'Upstream-Headers';
export const UPSTREAM_STATE = 'Upstream-State';
export const UPSTREAM_OUTCOME = 'Upstream-Outcome';
export const UPSTREAM_USAGE = 'Upstream-Usage';
export const LAST_EVENT_ID = 'Last-Event-ID';
export const IDEMPOTENCY_KEY = 'Idempotency-Key';
export const IDEMPOTENCY_REPLAYED = 'Idempotency-Replayed';
export const STREAM_KEY = 'Stream-Key';
/** How often the stream was continued after its upstream broke. Absent if never. */
export const UPSTREAM_RECOVERIES = 'Upstream-Recoveries';
/** RFC 7240, section 2: what the client would like, which a server may ignore. */
export const PREFER = 'Prefer';
export const PREFERENCE_APPLIED = 'Preference-Applied';

/** Preference (RFC 7240, section 4.2): send the SSE read as the body of the 201. */
export const RETURN_REPRESENTATION = 'return=representation';
/** Preference of ours: answer an upstream's error with the upstream's own status instead of 502. */
export const PREFER_UPSTREAM_STATUS = 'upstream-status';
/** Preference (RFC 7240, section 4.1): respond before the upstream does. */
export const RESPOND_ASYNC = 'respond-async';

/** Every preference that the proxy knows. These are values of `Prefer`, not header names. */
export const PREFERENCES: readonly string[] = [RETURN_REPRESENTATION, PREFER_UPSTREAM_STATUS, RESPOND_ASYNC];

/** What a page of another origin may read of an answer, beyond the CORS-safelisted headers. */
export const EXPOSED_HEADERS: readonly string[] = [
  'Location',
  'ETag',
  'Retry-After',
  'Accept-Ranges',
  'Content-Range',
  'Content-Disposition',
  UPSTREAM_CONTENT_TYPE,
  UPSTREAM_STATUS,
  UPSTREAM_HEADERS,
  UPSTREAM_STATE,
  UPSTREAM_OUTCOME,
  UPSTREAM_RECOVERIES,
  UPSTREAM_USAGE,
  STREAM_NEXT_OFFSET,
  STREAM_UP_TO_DATE,
  STREAM_CLOSED,
  STREAM_CURSOR,
  STREAM_TTL,
  STREAM_EXPIRES_AT,
  STREAM_SSE_DATA_ENCODING,
  IDEMPOTENCY_REPLAYED,
  PREFERENCE_APPLIED,
];
