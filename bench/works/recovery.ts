import type { Peer, PeerName } from '../peers/index.ts';
import { post, reading, record } from '../read.ts';
import { percentile } from '../statistics.ts';
import { inTurn, type Bench, type Measured, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export const RECOVERABLE = 'recoverable';
export const PLAIN = 'without a recovery';
/** OpenAI can continue responses in background mode alone. */
const BODIES = {
  [RECOVERABLE]: '{"stream":true,"background":true}',
  [PLAIN]: '{"stream":true,"background":false}',
} as const;

export interface RecoveryOptions {
  readonly name: string;
  readonly streams: number;
  readonly chunks: number;
  readonly gapMs: number;
  readonly peer: PeerName;
  readonly targets: readonly Target[];
}

/** Many answers at once that could be continued, beside the same answers that could not. None of them breaks. */
export function recoveryBeside(options: RecoveryOptions): Work {
  const { name, streams, chunks, gapMs, targets } = options;
  return {
    name,
    title: `${streams} streams with and without a recovery, ${chunks} chunks each, ${gapMs} ms apart`,
    metrics: [
      { key: 'p50', title: 'chunk p50 ms', digits: 2 },
      { key: 'p99', title: 'p99 ms', digits: 2 },
      { key: 'cpu', title: 'CPU s', digits: 2 },
    ],
    targets,
    async run(bench) {
      const peer = await bench.peer(options.peer);
      const round: Record<string, Measured> = {};
      for (const subject of inTurn([RECOVERABLE, PLAIN] as const, bench.round)) {
        round[subject] = await measure(bench, peer, BODIES[subject], options);
      }
      return round;
    },
  };
}

async function measure(
  bench: Bench,
  peer: Peer,
  body: string,
  { streams, chunks, gapMs }: RecoveryOptions,
): Promise<Measured> {
  const upstream = `${bench.upstream}/v1/responses?format=responses&chunks=${chunks}&gap=${gapMs}&size=120`;
  const request = { ...post(peer, upstream, { 'content-type': 'application/json' }), body };
  const used = peer.watch();
  const recordings = await Promise.all(Array.from({ length: streams }, () => record(bench.agent, request)));
  const { cpuSeconds } = used();
  const readings = recordings.map((each) => reading(each, peer.durable, chunks));
  const ages = readings.flatMap(({ agesMs }) => agesMs);
  return {
    values: { p50: percentile(ages, 0.5), p99: percentile(ages, 0.99), cpu: cpuSeconds },
    fault: faultOf(readings),
  };
}
