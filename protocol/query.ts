/** Query parameters of base protocol reads. */
export const OFFSET = 'offset';
export const LIVE = 'live';
export const CURSOR = 'cursor';

/** Query parameters of the proxy protocol. */
export const SECRET = 'secret';
export const EXPIRES = 'expires';
export const SIGNATURE = 'signature';
export const SCOPE = 'scope';
export const ACTION = 'action';
export const KEY = 'key';
export const AS = 'as';
export const EVENTS = 'events';

/** Offset before the first byte. Sent by clients only. */
export const OFFSET_START = '-1';
/** Offset after the last byte at the time of the request. Sent by clients only. */
export const OFFSET_NOW = 'now';

export const LIVE_SSE = 'sse';
export const LIVE_LONG_POLL = 'long-poll';

/** The only value of `events`: an SSE read sends one event per chunk, as text where possible. */
export const EVENTS_COMPACT = 'compact';

/**
 * The only value of `as`: reads the whole answer under its own media type, for `<audio>`, `<img>` and
 * downloads.
 */
export const AS_UPSTREAM = 'upstream';

/** The only value of `scope` in a signed URL: allows GET but not PATCH. A URL without a scope allows both. */
export const SCOPE_READ = 'read';
/** The only value of `action` in a PATCH. */
export const ACTION_ABORT = 'abort';

/** Upstream methods that a create may request. */
export const UPSTREAM_METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
