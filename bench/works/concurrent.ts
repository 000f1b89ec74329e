import { startPeer, type Peer, type PeerName } from '../peers/index.ts';
import { post, reading, record, type Reading } from '../read.ts';
import { percentile } from '../statistics.ts';
import { eachPeer, type Bench, type Measured, type Metric, type Target, type Work } from '../work.ts';

interface Load {
  readonly streams: number;
  readonly chunks: number;
  readonly gapMs: number;
}

export interface ConcurrentOptions extends Load {
  readonly name: string;
  readonly peers: readonly PeerName[];
  /** Starts each peer again for each round, so that its memory grows by these streams only. */
  readonly fresh?: boolean;
  readonly targets: readonly Target[];
}

const METRICS: readonly Metric[] = [
  { key: 'p50', title: 'chunk p50 ms', digits: 2 },
  { key: 'p99', title: 'p99 ms', digits: 2 },
  { key: 'cpu', title: 'CPU s', digits: 2 },
  { key: 'cpuPerChunk', title: 'CPU µs/chunk', digits: 1 },
  { key: 'peak', title: 'peak MB', digits: 0 },
  { key: 'perStream', title: 'kB/stream', digits: 0 },
];
const WARM_UP: Load = { streams: 50, chunks: 20, gapMs: 5 };

/** Many answers at once, each read while it is generated. */
export function concurrentStreams(options: ConcurrentOptions): Work {
  const { name, streams, chunks, gapMs, peers, fresh = false, targets } = options;
  return {
    name,
    title: `${streams} streams, ${chunks} chunks each, ${gapMs} ms apart`,
    metrics: fresh ? METRICS : METRICS.filter(({ key }) => key !== 'perStream'),
    targets,
    run: (bench) =>
      eachPeer(bench, peers, async (shared) => {
        if (!fresh) return measure(bench, shared, options);
        const peer = await startPeer(shared.name);
        try {
          await measure(bench, peer, WARM_UP);
          return await measure(bench, peer, options);
        } finally {
          await peer.stop();
        }
      }),
  };
}

async function measure(bench: Bench, peer: Peer, load: Load): Promise<Measured> {
  const { streams, chunks, gapMs } = load;
  const upstream = `${bench.upstream}/?chunks=${chunks}&gap=${gapMs}&size=120`;
  const used = peer.watch();
  const recordings = await Promise.all(
    Array.from({ length: streams }, () => record(bench.agent, post(peer, upstream))),
  );
  const { cpuSeconds, residentBytes, peakBytes } = used();
  const readings = recordings.map((each) => reading(each, peer.durable, chunks));
  const ages = readings.flatMap(({ agesMs }) => agesMs);
  return {
    values: {
      p50: percentile(ages, 0.5),
      p99: percentile(ages, 0.99),
      cpu: cpuSeconds,
      cpuPerChunk: (cpuSeconds * 1e6) / (streams * chunks),
      peak: peakBytes / 1e6,
      perStream: (peakBytes - residentBytes) / 1e3 / streams,
    },
    fault: faultOf(readings),
  };
}

/** The first fault, and how many of the streams had one. */
export function faultOf(readings: readonly Reading[]): Measured['fault'] {
  const faults = readings.flatMap(({ fault }) => fault ?? []);
  return faults.length === 0 ? undefined : `${faults.length} of ${readings.length} streams: ${faults[0]}`;
}
