import type { ServerResponse } from 'node:http';
import { cutResponse } from '../http/response.ts';

/**
 * Disconnects a client that accepts no bytes for `timeoutMs` while bytes are waiting for it.
 *
 * Uses the idle timer of the socket (of the stream in HTTP/2). Node re-arms it on each write and also when the
 * kernel took a part of a large write, so this costs nothing per chunk and a slow client is not a stalled one.
 */
export function disconnectStalled(res: ServerResponse, timeoutMs: number): void {
  const { socket } = res;
  const previousMs = socket?.timeout ?? 0;
  res.setTimeout(timeoutMs, () => {
    // If no bytes are buffered, the stream has none to send, and the client is not stalled.
    if (res.writableLength > 0) cutResponse(res);
  });
  // An HTTP/1.1 connection outlives the response, so its own timeout is restored, unless it was changed in the
  // meantime.
  if (!socket || res.req.httpVersionMajor > 1) return;
  res.once('close', () => {
    if (!socket.destroyed && socket.timeout === timeoutMs) socket.setTimeout(previousMs);
  });
}
