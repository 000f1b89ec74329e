import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Relay {
  /** Origin of the relay: what is sent here goes to the target, until a cut. */
  readonly url: string;
  /** Connections cut so far. */
  readonly cuts: number;
  /** Resets every connection that is open now. */
  cutAll(): void;
  close(): Promise<void>;
}

/**
 * A TCP relay, which simulates a bad network. `cutAfter` returns for each new connection the number of bytes from
 * the target after which it is reset, or undefined to keep it.
 */
export async function startRelay(targetUrl: string, cutAfter: () => number | undefined): Promise<Relay> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    const cut = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
    let left = cutAfter();
    sockets.add(client);
    client.once('close', () => {
      sockets.delete(client);
      upstream.destroy();
    });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => {
      if (left !== undefined && chunk.length >= left) {
        cuts += 1;
        client.write(chunk.subarray(0, left), cut);
        left = Infinity;
        upstream.pause();
        return;
      }
      if (left !== undefined) left -= chunk.length;
      if (!client.write(chunk)) {
        upstream.pause();
        client.once('drain', () => upstream.resume());
      }
    });
    upstream.on('end', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    cutAll: () => {
      for (const socket of sockets) {
        cuts += 1;
        socket.resetAndDestroy();
      }
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
