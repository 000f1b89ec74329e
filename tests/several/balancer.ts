import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Balancer {
  readonly url: string;
  close(): Promise<void>;
}

/** A load balancer without stickiness: each connection goes to any target that accepts it. */
export async function startBalancer(
  targets: () => readonly string[],
  random: () => number,
): Promise<Balancer> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client);
    client.on('error', () => client.destroy()).once('close', () => sockets.delete(client));
    const all = targets();
    const target = new URL(all[Math.floor(random() * all.length)]!);
    const upstream = connect(Number(target.port), target.hostname);
    // Clients see a dead target as a reset.
    upstream.on('error', () => client.resetAndDestroy()).once('close', () => client.destroy());
    client.once('close', () => upstream.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
