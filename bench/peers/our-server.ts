import { createProxyServer, embeddedStore, type StreamStore } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';

/** Options in which a second proxy differs from the first one. */
const SECOND = {
  'completeness-off': { completeness: 'off' },
  inspector: { inspector: true },
} as const;

/**
 * This project: `embedded <dataDir> <disk|process>`, `redis <url>` or `durable-streams <url>`. With a further name of
 * `SECOND`, there is a second proxy in this process and on its store.
 */
type Arguments = [string, string, ('disk' | 'process')?, (keyof typeof SECOND)?];
const [kind, where, durability = 'disk', second] = process.argv.slice(2) as Arguments;
const store: StreamStore | undefined =
  kind === 'redis'
    ? redisStore({ url: where })
    : kind === 'embedded'
      ? embeddedStore({ dataDir: where, durability })
      : undefined;
const urls: string[] = [];
for (const own of second ? [{}, SECOND[second]] : [{}]) {
  const { url } = await createProxyServer({
    port: 0,
    host: '127.0.0.1',
    jwtSecret: process.env['BENCH_SECRET']!,
    allowlist: ['http://127.0.0.1:*/**'],
    ...own,
    ...(store ? { store } : { durableStreamsUrl: where }),
  });
  urls.push(url);
}
console.log(`listening ${urls.join(' ')}`);
// Exits normally, because only then a profile is written.
process.on('SIGTERM', () => process.exit());
