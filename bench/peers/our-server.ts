import { createProxyServer, embeddedStore, type StreamStore } from '../../server/index.ts';
import { redisStore } from '../../server/store/redis/index.ts';

/** This project: `embedded <dataDir> <disk|process> <auto|off>`, `redis <url>` or `durable-streams <url>`. */
type Arguments = [string, string, 'disk' | 'process', 'auto' | 'off' | undefined];
const [kind, where, durability, completeness = 'auto'] = process.argv.slice(2) as Arguments;
const store: StreamStore | undefined =
  kind === 'redis'
    ? redisStore({ url: where })
    : kind === 'embedded'
      ? embeddedStore({ dataDir: where, durability })
      : undefined;
const { url } = await createProxyServer({
  port: 0,
  host: '127.0.0.1',
  jwtSecret: process.env['BENCH_SECRET']!,
  allowlist: ['http://127.0.0.1:*/**'],
  completeness,
  ...(store ? { store } : { durableStreamsUrl: where }),
});
console.log(`listening ${url}`);
// Exits normally, because only then a profile is written.
process.on('SIGTERM', () => process.exit());
