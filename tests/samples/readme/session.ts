import type { IncomingMessage } from 'node:http';

/** Stands for the reader's own session: a cookie `user=<id>`. */
export async function userOf(request: IncomingMessage): Promise<{ id: string } | null> {
  const id = /\buser=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
  return id === undefined ? null : { id };
}
