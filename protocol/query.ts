/** Query parameters of the base protocol's reads. */
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

/** The offset before the first byte. A server never generates it. */
export const OFFSET_START = '-1';
/** The offset behind the last byte at the time of the request. A server never generates it. */
export const OFFSET_NOW = 'now';

export const LIVE_SSE = 'sse';
export const LIVE_LONG_POLL = 'long-poll';

/** The only `as` of a read: the whole answer under its own media type, for `<audio>`, `<img>` and downloads. */
export const AS_UPSTREAM = 'upstream';

/** The only `scope` of a signed URL: it may GET, and not PATCH. Without one, both. */
export const SCOPE_READ = 'read';
/** The only `action` of a PATCH. */
export const ACTION_ABORT = 'abort';

/** Methods that a create may ask of the upstream. */
export const UPSTREAM_METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
