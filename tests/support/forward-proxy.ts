import { once } from 'node:events';
import { createServer, STATUS_CODES, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface ForwardProxy {
  /** URL without credentials. */
  readonly url: string;
  /** The authority of each CONNECT, as it was sent. */
  readonly connects: string[];
  readonly requests: readonly IncomingMessage[];
  close(): Promise<void>;
}

export interface ForwardProxyOptions {
  /** Where a tunnel to an authority leads: a port of this machine, or a status with which CONNECT is refused. */
  readonly route: (authority: string) => { port: number } | { status: number };
  /** Says whether to respond to a CONNECT at all. Default: always. */
  readonly answers?: boolean;
}

/**
 * A real forward proxy: CONNECT opens a tunnel (RFC 9110, section 9.3.6). As in a real network, it resolves names by
 * itself.
 */
export async function startForwardProxy({
  route,
  answers = true,
}: ForwardProxyOptions): Promise<ForwardProxy> {
  const connects: string[] = [];
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_req, res) => res.writeHead(405).end());
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  };
  server.on('connection', track);
  server.on('connect', (req: IncomingMessage, client: Socket, head: Buffer) => {
    const authority = req.url ?? '';
    connects.push(authority);
    requests.push(req);
    if (!answers) return;
    const to = route(authority);
    if ('status' in to) {
      client.end(`HTTP/1.1 ${to.status} ${STATUS_CODES[to.status]}\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const upstream = connect(to.port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    track(upstream);
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connects,
    requests,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
