import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One call that an upstream got. */
export interface UpstreamCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly body: Buffer;
  /** Resolves when the connection of this call is closed, by whichever side. */
  readonly closed: Promise<void>;
}

export interface Upstream {
  readonly url: string;
  readonly calls: UpstreamCall[];
  /** The n-th call (from 0), as soon as it has arrived whole. */
  call(index: number): Promise<UpstreamCall>;
  /** Connections that are open now. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

/** A real HTTP server in the place of a provider. The handler decides when and how to respond. */
export async function startUpstream(handler: (call: UpstreamCall) => void): Promise<Upstream> {
  const calls: UpstreamCall[] = [];
  const waiting = new Map<number, (call: UpstreamCall) => void>();
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const closed = new Promise<void>((resolve) => res.once('close', resolve));
      const call = { req, res, body: Buffer.concat(chunks), closed };
      const index = calls.push(call) - 1;
      waiting.get(index)?.(call);
      handler(call);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    call: async (index) =>
      calls[index] ?? (await new Promise<UpstreamCall>((resolve) => waiting.set(index, resolve))),
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes, and waits until the operating system has the bytes. */
export function write(res: ServerResponse, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => res.write(chunk, (error) => (error ? reject(error) : resolve())));
}

/** Sends bytes in pieces of random sizes, with a turn of the event loop between them. */
export async function writeInPieces(
  res: ServerResponse,
  bytes: Uint8Array,
  random: () => number,
  largest = 512,
): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * largest);
    await write(res, bytes.subarray(at, at + size));
    at += size;
  }
}
