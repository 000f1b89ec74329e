/**
 * All header names of the protocol. Header names are case-insensitive (RFC 9110, section 5.1); these are the
 * spellings that we send and that Node's `res.setHeader` preserves.
 */

/** Headers of the Durable Streams base protocol that the read path uses. */
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
/** Seconds that an answer continues without a reader, or `infinite`. */
export const UNREAD_TIMEOUT = 'Unread-Timeout';
/** How often the stream was continued after its upstream broke. Absent if never. */
export const UPSTREAM_RECOVERIES = 'Upstream-Recoveries';
/** Client preferences, which a server may ignore (RFC 7240, section 2). */
export const PREFER = 'Prefer';
export const PREFERENCE_APPLIED = 'Preference-Applied';

/** Preference (RFC 7240, section 4.2): return the SSE read as the body of the 201. */
export const RETURN_REPRESENTATION = 'return=representation';
/** Preference of this protocol: send compact events in the body that `return=representation` asks for. */
export const COMPACT_EVENTS = 'events=compact';
/** Preference of this protocol: respond to an upstream error with the upstream's own status instead of 502. */
export const PREFER_UPSTREAM_STATUS = 'upstream-status';
/** Preference (RFC 7240, section 4.1): respond before the upstream does. */
export const RESPOND_ASYNC = 'respond-async';

/** Preferences that the proxy supports. These are values of `Prefer`, not header names. */
export const PREFERENCES: readonly string[] = [
  RETURN_REPRESENTATION,
  COMPACT_EVENTS,
  PREFER_UPSTREAM_STATUS,
  RESPOND_ASYNC,
];

/** Response headers that a page of another origin may read, in addition to the CORS-safelisted ones. */
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
