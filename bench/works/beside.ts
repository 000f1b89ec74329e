import type { Peer, PeerName } from '../peers/index.ts';
import { reading, record, type RequestOptions } from '../read.ts';
import { percentile } from '../statistics.ts';
import { inTurn, type Bench, type Measured, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

/** One side of a comparison. */
export interface Subject {
  readonly peer: PeerName;
  readonly request: (peer: Peer, upstreamUrl: string) => RequestOptions;
  /**
   * Starts something that lasts as long as the answers. Resolves to a function that ends it, and returns why the run is
   * invalid.
   */
  readonly meanwhile?: (bench: Bench, peer: Peer) => Promise<() => Measured['fault']>;
}

export interface BesideOptions {
  readonly name: string;
  readonly title: string;
  readonly streams: number;
  readonly chunks: number;
  readonly gapMs: number;
  /** Path and query of the answers at the upstream. */
  readonly answers: string;
  readonly subjects: Readonly<Record<string, Subject>>;
  /**
   * Starts the peers again for each round. Required if the subjects have different peers: two processes with the same code
   * differ by some percent for as long as they run.
   */
  readonly fresh?: boolean;
  readonly targets: readonly Target[];
}

/**
 * Many answers at once, with and without something. If possible in one process, so that compiled code, memory layout and
 * what the machine does meanwhile are the same. A round measures its subjects forward and backward, which cancels a drift.
 */
export function besideEachOther(options: BesideOptions): Work {
  const { name, title, streams, chunks, gapMs, subjects, fresh = false, targets } = options;
  return {
    name,
    title: `${streams} streams ${title}, ${chunks} chunks each, ${gapMs} ms apart`,
    metrics: [
      { key: 'p50', title: 'chunk p50 ms', digits: 2 },
      { key: 'p99', title: 'p99 ms', digits: 2 },
      { key: 'cpu', title: 'CPU s', digits: 2 },
      { key: 'cpuPerChunk', title: 'CPU µs/chunk', digits: 1 },
    ],
    targets,
    warmsUp: fresh,
    async run(bench) {
      const names = [...new Set(Object.values(subjects).map(({ peer }) => peer))];
      const peers = new Map<PeerName, Peer>();
      try {
        for (const each of names) peers.set(each, await (fresh ? bench.freshPeer(each) : bench.peer(each)));
        const order = inTurn(Object.keys(subjects), bench.round);
        const runs: Record<string, Run[]> = {};
        for (const subject of [...order, ...order.toReversed()]) {
          const peer = peers.get(subjects[subject]!.peer)!;
          (runs[subject] ??= []).push(await measure(bench, peer, subjects[subject]!, options));
        }
        return Object.fromEntries(
          Object.entries(runs).map(([subject, both]) => [subject, joined(both, streams * chunks)]),
        );
      } finally {
        if (fresh) for (const peer of peers.values()) await peer.stop();
      }
    },
  };
}

interface Run {
  readonly agesMs: readonly number[];
  readonly cpuSeconds: number;
  readonly fault: Measured['fault'];
}

async function measure(
  bench: Bench,
  peer: Peer,
  { request, meanwhile }: Subject,
  { streams, chunks, gapMs, answers }: BesideOptions,
): Promise<Run> {
  const upstream = `${bench.upstream}${answers}&chunks=${chunks}&gap=${gapMs}&size=120`;
  const options = request(peer, upstream);
  const used = peer.watch();
  const end = await meanwhile?.(bench, peer);
  const recordings = await Promise.all(Array.from({ length: streams }, () => record(bench.agent, options)));
  const { cpuSeconds } = used();
  const fault = end?.();
  const readings = recordings.map((each) => reading(each, peer.durable, chunks));
  return {
    agesMs: readings.flatMap(({ agesMs }) => agesMs),
    cpuSeconds,
    fault: faultOf(readings) ?? fault,
  };
}

function joined(runs: readonly Run[], chunks: number): Measured {
  const agesMs = runs.flatMap((run) => run.agesMs);
  const cpu = runs.reduce((sum, run) => sum + run.cpuSeconds, 0) / runs.length;
  return {
    values: {
      p50: percentile(agesMs, 0.5),
      p99: percentile(agesMs, 0.99),
      cpu,
      cpuPerChunk: (cpu * 1e6) / chunks,
    },
    fault: runs.find(({ fault }) => fault !== undefined)?.fault,
  };
}
