import { redisProcess } from '../peers/index.ts';
import { ServerProcess } from '../processes.ts';
import { nowMs } from '../clock.ts';
import { BENCH_SECRET, post, reading, record } from '../read.ts';
import { percentile } from '../statistics.ts';
import { inTurn, type Bench, type Measured, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export interface WorkersOptions {
  readonly name: string;
  /** Numbers of workers. */
  readonly workers: readonly number[];
  /** Numbers of streams at once. */
  readonly streams: readonly number[];
  readonly chunks: number;
  readonly gapMs: number;
  readonly targets: readonly Target[];
}

export const workersSubject = (workers: number, streams: number): string =>
  `${workers} ${workers === 1 ? 'worker' : 'workers'}, ${streams} streams`;

/** Workers of one machine on one Redis. CPU of the workers and of Redis is measured separately. */
export function workersOnRedis(options: WorkersOptions): Work {
  const { name, workers, streams, chunks, gapMs, targets } = options;
  return {
    name,
    title: `workers on one Redis, ${chunks} chunks ${gapMs} ms apart`,
    metrics: [
      { key: 'rate', title: 'chunks/s', digits: 0 },
      { key: 'p50', title: 'chunk p50 ms', digits: 1 },
      { key: 'p99', title: 'p99 ms', digits: 0 },
      { key: 'workerCpu', title: 'workers, CPU µs/chunk', digits: 0 },
      { key: 'redisCpu', title: 'Redis, CPU µs/chunk', digits: 0 },
    ],
    targets,
    async run(bench) {
      const round: Record<string, Measured> = {};
      for (const count of inTurn(workers, bench.round)) {
        const redis = await redisProcess();
        const env = { BENCH_SECRET };
        const server = await ServerProcess.node('./peers/cluster-server.ts', [String(count), redis.url], env);
        try {
          await measure(bench, server, redis, { ...options, streams: 50 });
          for (const each of inTurn(streams, bench.round))
            round[workersSubject(count, each)] = await measure(bench, server, redis, {
              ...options,
              streams: each,
            });
        } finally {
          await server.stop();
          await redis.stop();
        }
      }
      return round;
    },
  };
}

async function measure(
  bench: Bench,
  server: ServerProcess,
  redis: ServerProcess,
  { streams, chunks, gapMs }: { streams: number; chunks: number; gapMs: number },
): Promise<Measured> {
  const upstream = `${bench.upstream}/?chunks=${chunks}&gap=${gapMs}&size=120`;
  const source = { url: `${server.url}/v1/proxy`, durable: true };
  const [workersUsed, redisUsed] = [server.watch(), redis.watch()];
  const begunMs = nowMs();
  const recordings = await Promise.all(
    Array.from({ length: streams }, () => record(bench.agent, post(source, upstream))),
  );
  const seconds = (nowMs() - begunMs) / 1_000;
  const total = streams * chunks;
  const perChunk = ({ cpuSeconds }: { cpuSeconds: number }) => (cpuSeconds * 1e6) / total;
  const [workerCpu, redisCpu] = [perChunk(workersUsed()), perChunk(redisUsed())];
  const readings = recordings.map((each) => reading(each, true, chunks));
  const ages = readings.flatMap(({ agesMs }) => agesMs);
  return {
    values: {
      rate: total / seconds,
      p50: percentile(ages, 0.5),
      p99: percentile(ages, 0.99),
      workerCpu,
      redisCpu,
    },
    fault: faultOf(readings),
  };
}
