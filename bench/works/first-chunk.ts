import { randomUUID } from 'node:crypto';
import { IDEMPOTENCY_KEY } from '../../protocol/headers.ts';
import type { PeerName } from '../peers/index.ts';
import { post, reading, record, type Recording } from '../read.ts';
import { median, percentile } from '../statistics.ts';
import { eachPeer, inTurn, type Measured, type Metric, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export interface PauseOptions {
  readonly name: string;
  /** Of each peer in a round. */
  readonly streams: number;
  readonly pauseMs: number;
  readonly peers: readonly PeerName[];
  readonly targets: readonly Target[];
}

/** Age of a first chunk that is followed by a pause. A proxy that waits for more bytes would delay it. */
export function firstChunkBeforePause(options: PauseOptions): Work {
  const { name, streams, pauseMs, peers, targets } = options;
  return {
    name,
    title: `first chunk before a pause of ${pauseMs} ms`,
    metrics: [{ key: 'p50', title: 'first chunk p50 ms', digits: 2 }],
    targets,
    async run(bench) {
      const upstream = `${bench.upstream}/?chunks=2&pause=${pauseMs}&size=120`;
      const begun: { name: PeerName; durable: boolean; recordings: Promise<Recording>[] }[] = [];
      // The next stream may start during the pause of one, because a waiting stream uses no CPU.
      for (const peerName of inTurn(peers, bench.round)) {
        const peer = await bench.peer(peerName);
        const recordings: Promise<Recording>[] = [];
        for (let i = 0; i < streams; i += 1) {
          await new Promise<void>((onFirst) => {
            recordings.push(record(bench.agent, { ...post(peer, upstream), onFirst }));
          });
        }
        begun.push({ name: peerName, durable: peer.durable, recordings });
      }
      const round: Record<string, Measured> = {};
      for (const { name: subject, durable, recordings } of begun) {
        const readings = (await Promise.all(recordings)).map((each) => reading(each, durable, 2));
        const values = { p50: median(readings.map(({ agesMs }) => agesMs[0] ?? NaN)) };
        round[subject] = { values, fault: faultOf(readings) };
      }
      return round;
    },
  };
}

export interface SequentialOptions {
  readonly name: string;
  readonly streams: number;
  readonly chunks: number;
  readonly peers: readonly PeerName[];
  /** Sends an `Idempotency-Key` with each POST. */
  readonly keyed: boolean;
  readonly targets: readonly Target[];
}

const SEQUENTIAL_METRICS: readonly Metric[] = [
  { key: 'p50', title: 'first chunk p50 ms', digits: 2 },
  { key: 'p99', title: 'p99 ms', digits: 2 },
  { key: 'cpu', title: 'CPU ms/stream', digits: 2 },
];

/** Short answers one after the other: what one round trip to the first chunk costs. */
export function oneAfterTheOther(options: SequentialOptions): Work {
  const { name, streams, chunks, peers, keyed, targets } = options;
  return {
    name,
    title: `one after the other, ${chunks} chunks each${keyed ? ', with an Idempotency-Key' : ''}`,
    metrics: SEQUENTIAL_METRICS,
    targets,
    run: (bench) =>
      eachPeer(bench, peers, async (peer) => {
        const upstream = `${bench.upstream}/?chunks=${chunks}&size=120`;
        const recordings: Recording[] = [];
        const used = peer.watch();
        for (let i = 0; i < streams; i += 1) {
          const headers = keyed ? { [IDEMPOTENCY_KEY]: randomUUID() } : {};
          recordings.push(await record(bench.agent, post(peer, upstream, headers)));
        }
        const { cpuSeconds } = used();
        const readings = recordings.map((each) => reading(each, peer.durable, chunks));
        const times = readings.map(({ firstChunkMs }) => firstChunkMs);
        return {
          values: {
            p50: median(times),
            p99: percentile(times, 0.99),
            cpu: (cpuSeconds * 1_000) / streams,
          },
          fault: faultOf(readings),
        };
      }),
  };
}
