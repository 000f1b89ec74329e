import cluster from 'node:cluster';
import { once } from 'node:events';
import { createProxyServer } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';

/** This project with a number of workers on one Redis, as in examples/cluster-redis: `<workers> <redis url>`. */
const [workers, redis] = process.argv.slice(2) as [string, string];

if (cluster.isPrimary) {
  const addresses = await Promise.all(
    Array.from({ length: Number(workers) }, async () => {
      const [{ port }] = (await once(cluster.fork(), 'listening')) as [{ port: number }];
      return `http://127.0.0.1:${port}`;
    }),
  );
  console.log(`listening ${addresses[0]}`);
} else {
  // With port 0, the primary chooses one port, which all workers share.
  await createProxyServer({
    port: 0,
    host: '127.0.0.1',
    jwtSecret: process.env['BENCH_SECRET']!,
    allowlist: ['http://127.0.0.1:*/**'],
    store: redisStore({ url: redis }),
  });
}
process.on('SIGTERM', () => process.exit());
