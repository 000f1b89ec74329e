import { parseArgs } from 'node:util';
import { startReferenceServer } from '../store/durable-streams/reference-server.ts';
import { startRedis } from '../store/redis/servers.ts';
import { startProxyProcess, type ProxyProcess, type ProxyProcessOptions } from '../support/process.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { seeded } from '../support/random.ts';
import { startResumableProvider, textsIn, textsOf } from '../support/resumable-provider.ts';
import { locationOf, post, readSse, withQuery } from '../support/wire.ts';

/**
 * Kills the process that holds running answers, again and again, on each store, and checks that every answer ends
 * `complete` and whole, is generated once, and is never resumed by two processes at a time.
 *
 *     npm run kills -- --kills 50 --stores embedded,redis,durable-streams
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '50' },
    stores: { type: 'string', default: 'embedded,redis,durable-streams' },
    seed: { type: 'string', default: '1' },
  },
});
const kills = Number(values.kills);
const ANSWERS = 3;
const EVENTS = 60;
const GAP_MS = 40;
const BODY = JSON.stringify({ background: true, stream: true });

interface Setting {
  /** Processes on the store. */
  readonly count: number;
  readonly options: ProxyProcessOptions;
  stop(): Promise<unknown>;
}

const SETTINGS: Readonly<Record<string, () => Promise<Setting>>> = {
  embedded: async () => {
    const folder = await temporaryFolder();
    return { count: 1, options: { dataDir: folder.path }, stop: () => folder.remove() };
  },
  redis: async () => {
    const redis = await startRedis();
    return { count: 3, options: { redis: redis.url }, stop: () => redis.stop() };
  },
  'durable-streams': async () => {
    const server = await startReferenceServer({ mode: 'memory' });
    return { count: 3, options: { durableStreamsUrl: server.url }, stop: () => server.stop() };
  },
};

/** Returns the faults. */
async function run(name: string, setting: Setting): Promise<string[]> {
  const faults: string[] = [];
  const random = seeded(Number(values.seed));
  const provider = await startResumableProvider({ kind: 'openai', events: EVENTS, gapMs: GAP_MS });
  let proxies = await Promise.all(
    Array.from({ length: setting.count }, () => startProxyProcess(setting.options)),
  );
  for (let kill = 0; kill < kills; kill += 1) {
    const seeds = Array.from({ length: ANSWERS }, (_, i) => kill * ANSWERS + i + 1);
    const [first, ...others] = proxies as [ProxyProcess, ...ProxyProcess[]];
    const urls = await Promise.all(
      seeds.map(async (seed) => locationOf(first, await post(first, provider.urlOf(seed), { body: BODY }))),
    );
    // Somewhere in the first half of the answers.
    const texts = Math.ceil(random() * (EVENTS / 2));
    // The first event of each answer must be stored: only it contains the id at the provider.
    await Promise.all(
      urls.map(async (url, i) =>
        readSse(
          await fetch(withQuery(url, { live: 'sse' })),
          ({ bytes }) => textsIn(bytes).length >= (i === 0 ? texts : 1),
        ),
      ),
    );
    await first.kill('SIGKILL');
    proxies = [...others, await startProxyProcess(setting.options)];
    await Promise.all(
      urls.map(async (url, i) => {
        const elsewhere = url.replace(/^http:\/\/[^/]+/, proxies[0]!.url);
        const { bytes, controls } = await readSse(await fetch(withQuery(elsewhere, { live: 'sse' })));
        const outcome = controls.at(-1)?.upstreamOutcome;
        const isWhole = textsIn(bytes).join() === textsOf(seeds[i]!, EVENTS).join();
        if (!isWhole || outcome !== 'complete') faults.push(`${name}: answer ${seeds[i]}, ${outcome}`);
      }),
    );
  }
  if (provider.begun.length !== kills * ANSWERS) faults.push(`${name}: ${provider.begun.length} generations`);
  const twice = [...provider.mostAtATime].filter(([, most]) => most > 1);
  if (twice.length > 0) faults.push(`${name}: ${twice.length} answers were resumed twice at a time`);
  console.log(`${name}: ${kills} kills, ${kills * ANSWERS} answers, ${faults.length} faults`);
  await Promise.all(proxies.map((proxy) => proxy.kill('SIGKILL')));
  await provider.close();
  await setting.stop();
  return faults;
}

const results = await Promise.all(
  values.stores.split(',').map(async (name) => run(name, await SETTINGS[name]!())),
);
for (const fault of results.flat()) console.error(fault);
process.exit(results.flat().length === 0 ? 0 : 1);
