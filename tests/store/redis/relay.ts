import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP relay before a Redis server: an address that can be redirected, and a network that loses replies. */
export interface Relay {
  readonly url: string;
  /** Redirects new connections from now on. */
  target: number;
  /** Number of lost replies. */
  readonly lost: number;
  /** Forwards the next request that contains this text, and cuts its connection when Redis replies. */
  loseReplyTo(text: string): void;
  /** Cuts all connections. */
  cut(): void;
  stop(): Promise<void>;
}

export async function startRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let marked: string | undefined;
  const server = createServer((client) => {
    const redis = connect(relay.target, '127.0.0.1');
    let losing = false;
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (request: Buffer) => {
      if (marked !== undefined && request.includes(marked)) {
        marked = undefined;
        losing = true;
      }
      redis.write(request);
    });
    redis.on('data', (reply: Buffer) => {
      if (!losing) return client.write(reply);
      relay.lost += 1;
      return client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay = {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target,
    lost: 0,
    loseReplyTo(text: string) {
      marked = text;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    async stop() {
      relay.cut();
      server.close();
      await once(server, 'close');
    },
  };
  return relay;
}
