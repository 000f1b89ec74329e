import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';

/**
 * Returns true if the client has disconnected or the response was destroyed.
 * `Http2ServerResponse` has no `destroyed`; its stream has.
 */
export function isClosed(res: ServerResponse): boolean {
  return res.destroyed || (res as { stream?: { destroyed: boolean } }).stream?.destroyed === true;
}

/** Sends a complete response. Does nothing if the client has disconnected. */
export function respond(
  res: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body?: string | Uint8Array,
): void {
  if (isClosed(res)) return;
  res.writeHead(status, headers);
  res.end(body);
}

/**
 * Keeps an `error` event of the response from ending the process. Node emits one for a write after the end or
 * after the connection broke; `close` follows, and that is where reads are released.
 */
export function ignoreErrors(res: ServerResponse): void {
  res.on('error', () => undefined);
}
