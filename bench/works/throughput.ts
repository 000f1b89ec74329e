import type { PeerName } from '../peers/index.ts';
import { post, reading, record } from '../read.ts';
import { nowMs } from '../clock.ts';
import { eachPeer, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export interface ThroughputOptions {
  readonly name: string;
  readonly streams: number;
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly peers: readonly PeerName[];
  readonly targets: readonly Target[];
}

/** Large answers at full speed. */
export function fullSpeed(options: ThroughputOptions): Work {
  const { name, streams, bytes, chunkBytes, peers, targets } = options;
  const chunks = Math.ceil(bytes / chunkBytes);
  return {
    name,
    title: `${streams} streams of ${bytes / 1e6} MB at full speed, in chunks of ${chunkBytes} bytes`,
    metrics: [
      { key: 'rate', title: 'MB/s', digits: 0 },
      { key: 'cpu', title: 'CPU s', digits: 2 },
      { key: 'peak', title: 'peak MB', digits: 0 },
    ],
    targets,
    run: (bench) =>
      eachPeer(bench, peers, async (peer) => {
        const upstream = `${bench.upstream}/?chunks=${chunks}&size=${chunkBytes}`;
        const used = peer.watch();
        const begunMs = nowMs();
        const recordings = await Promise.all(
          Array.from({ length: streams }, () => record(bench.agent, post(peer, upstream))),
        );
        const seconds = (nowMs() - begunMs) / 1_000;
        const { cpuSeconds, peakBytes } = used();
        const readings = recordings.map((each) => reading(each, peer.durable, chunks));
        const total = readings.reduce((sum, each) => sum + each.bytes, 0);
        return {
          values: { rate: total / 1e6 / seconds, cpu: cpuSeconds, peak: peakBytes / 1e6 },
          fault: faultOf(readings),
        };
      }),
  };
}
