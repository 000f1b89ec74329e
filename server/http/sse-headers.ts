/**
 * Live responses must not be cached, and must not be compressed, because compression delays chunks (RFC 9111, sections
 * 5.2.2.5 to 5.2.2.7).
 */
export const LIVE_CACHE_CONTROL = 'private, no-store, no-transform';

/** Headers of every response of server-sent events. */
export const SSE_HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': LIVE_CACHE_CONTROL,
  // Without this, nginx and similar proxies buffer the response.
  'X-Accel-Buffering': 'no',
} as const;
