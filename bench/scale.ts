import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { startCluster } from '../tests/store/redis/cluster.ts';
import { predict } from './prediction.ts';
import { ServerProcess } from './processes.ts';
import { BENCH_SECRET, createAgent } from './read.ts';
import { redisCounters } from './redis-counters.ts';
import { machine, table } from './report.ts';
import { attempt, highestLoad, type LoadedPeer } from './works/capacity.ts';

/**
 * Predicts how many chunks a second 1, 2 and 4 processes on a Redis Cluster of three nodes serve, from coefficients that it
 * measures with one process at a low load. Then it measures them. `--quick`: small sizes, to see that all of it runs.
 */
const { quick } = parseArgs({ options: { quick: { type: 'boolean', default: false } } }).values;
const PROCESSES = [1, 2, 4];
/** Low enough that nothing waits. */
const STREAMS = quick ? 5 : 50;
/** Two lengths of a stream: their difference is the cost of chunks, the rest is the cost of a stream. */
const [FEW, MANY] = quick ? [6, 12] : [20, 120];
const SEARCH = quick
  ? { from: 5, step: 5, maxStreams: 5, chunks: 12 }
  : { from: 100, step: 50, maxStreams: 3_200, chunks: 60 };

const loadAtStart = loadavg()[0]!;
const cluster = await startCluster();
const upstream = await ServerProcess.node('./upstream.ts', []);
const servers: ServerProcess[] = [];
for (let i = 0; i < PROCESSES.at(-1)!; i += 1) {
  servers.push(await ServerProcess.node('./peers/our-server.ts', ['redis', cluster.url], { BENCH_SECRET }));
}
const peers = servers.map((server): LoadedPeer => ({
  url: `${server.url}/v1/proxy`,
  durable: true,
  watch: () => server.watch(),
}));
const agent = createAgent();
const bench = { agent, upstream: upstream.url };

/** Total cost of all streams of one length, in microseconds, bytes and calls. */
async function costOf(chunks: number): Promise<Record<string, number>> {
  const redis = await redisCounters(cluster.masters);
  const usage = [servers[0]!.watch(), upstream.watch()] as const;
  const own = process.cpuUsage();
  const { fault } = await attempt(bench, peers.slice(0, 1), STREAMS, chunks);
  if (fault !== undefined) throw new Error(fault);
  const [server, source] = usage.map((used) => used());
  const { user, system } = process.cpuUsage(own);
  const counters = await redisCounters(cluster.masters);
  return {
    'main thread of the process, CPU µs': server!.mainSeconds * 1e6,
    'process, CPU µs': server!.cpuSeconds * 1e6,
    'upstream and readers, CPU µs': source!.cpuSeconds * 1e6 + user + system,
    ...Object.fromEntries(
      Object.entries(counters).map(([name, value]) => [name, value - (redis[name] ?? 0)]),
    ),
  };
}

/** Solves `cost = a × streams + b × chunks` for two lengths of streams. */
async function coefficients(): Promise<Record<string, { perStream: number; perChunk: number }>> {
  const few = await costOf(FEW);
  const many = await costOf(MANY);
  const names = Object.keys(many);
  return Object.fromEntries(
    names.map((name) => {
      const [short = 0, long = 0] = [few[name], many[name]].map((cost) => (cost ?? 0) / STREAMS);
      const perChunk = (long - short) / (MANY - FEW);
      return [name, { perChunk, perStream: short - FEW * perChunk }];
    }),
  );
}

try {
  await attempt(bench, peers, STREAMS * peers.length, MANY);
  const costs = await coefficients();
  const rows = Object.entries(costs)
    .filter(([, { perChunk, perStream }]) => Math.max(perChunk, perStream) >= 0.01)
    .map(([name, { perChunk, perStream }]) => [name, perChunk.toFixed(2), perStream.toFixed(0)]);
  process.stdout.write(`${table([['', 'per chunk', 'per stream'], ...rows])}\n\n`);

  const perChunk = (name: string) => costs[name]!.perChunk;
  const micros = {
    mainThread: perChunk('main thread of the process, CPU µs'),
    process: perChunk('process, CPU µs'),
    redis: perChunk('Redis, CPU µs'),
    load: perChunk('upstream and readers, CPU µs'),
  };
  const lines = [];
  for (const processes of PROCESSES) {
    const setup = { processes, nodes: cluster.masters.length };
    const here = predict(micros, { ...setup, cores: availableParallelism() });
    const elsewhere = predict(micros, { ...setup, cores: Infinity });
    const { values, fault } = await highestLoad(bench, peers.slice(0, processes), SEARCH);
    const { rate = NaN, p99 = NaN } = values;
    if (fault !== undefined) process.stderr.write(`${processes} processes: ${fault}\n`);
    lines.push([
      String(processes),
      `${here.chunksPerSecond.toFixed(0)} (${here.limit})`,
      rate.toFixed(0),
      (rate / here.chunksPerSecond).toFixed(2),
      p99.toFixed(1),
      `${elsewhere.chunksPerSecond.toFixed(0)} (${elsewhere.limit})`,
    ]);
  }
  const cores = `predicted chunks/s, ${availableParallelism()} cores`;
  const header = [
    'processes',
    cores,
    'measured',
    'measured / predicted',
    'p99 ms',
    'predicted, enough cores',
  ];
  process.stdout.write(`${table([header, ...lines])}\n\n${JSON.stringify(machine(loadAtStart))}\n`);
} finally {
  await agent.destroy();
  for (const server of [...servers, upstream]) await server.stop();
  await cluster.stop();
}
