import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { startPeer, type Peer, type PeerName } from '../peers/index.ts';
import { pin, ServerProcess } from '../processes.ts';
import { post, reading, record, type Source } from '../read.ts';
import { percentile } from '../statistics.ts';
import { inTurn, type Bench, type Measured, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export interface CapacityOptions extends Search {
  readonly name: string;
  readonly peers: readonly PeerName[];
  readonly targets: readonly Target[];
}

/** How the highest load is searched for. */
export interface Search {
  /** Streams of the first attempt. */
  readonly from: number;
  /** Precision of the result, in streams. */
  readonly step: number;
  readonly maxStreams: number;
  /** Chunks of each stream. */
  readonly chunks: number;
}

/** Each model sends 20 chunks a second. */
const GAP_MS = 50;
export const CHUNKS_PER_SECOND = 1_000 / GAP_MS;
export const MAX_P99_MS = 50;
/** A load fails if this many attempts fail: a failure may be due to a pause of the machine. */
const ATTEMPTS = 3;
/** Share of a stream's time in which the others begin: a burst of creates would raise p99. */
const BEGIN = 1 / 3;

/** A peer as a source of streams. */
export type LoadedPeer = Source & Pick<Peer, 'watch'>;

/** The highest load that one core serves, with all processes of a peer. The upstream and the readers have the other cores. */
export function oneCore(options: CapacityOptions): Work {
  return {
    name: options.name,
    title: `most chunks a second that one core serves with p99 ≤ ${MAX_P99_MS} ms, in streams of ${CHUNKS_PER_SECOND} chunks a second`,
    metrics: [
      { key: 'rate', title: 'chunks/s', digits: 0 },
      { key: 'p99', title: 'p99 ms', digits: 1 },
      { key: 'cpuPerChunk', title: 'CPU µs/chunk', digits: 1 },
    ],
    targets: options.targets,
    warmsUp: true,
    async run(bench) {
      const upstream = await ServerProcess.node('./upstream.ts', []);
      try {
        const round: Record<string, Measured> = {};
        for (const name of inTurn(options.peers, bench.round)) {
          const peer = await startPeer(name);
          const unpin = pinApart(peer, upstream);
          try {
            round[name] = await highestLoad({ ...bench, upstream: upstream.url }, [peer], options);
          } finally {
            unpin();
            await peer.stop();
          }
        }
        return round;
      } finally {
        await upstream.stop();
      }
    },
  };
}

/**
 * Pins a peer to the first core, and the upstream and this process to the others, if there are any.
 * @returns a function that unpins this process.
 */
function pinApart(peer: Peer, upstream: ServerProcess): () => void {
  const cores = availableParallelism();
  if (cores === 1) return () => undefined;
  const others = `1-${cores - 1}`;
  peer.pin('0');
  upstream.pin(others);
  pin(process.pid, others);
  return () => pin(process.pid, `0-${cores - 1}`);
}

/**
 * Finds the most streams, spread over the peers, with a good p99: doubles their number until an attempt fails, then halves the
 * interval.
 */
export async function highestLoad(
  bench: Pick<Bench, 'agent' | 'upstream'>,
  peers: readonly LoadedPeer[],
  { from, step, maxStreams, chunks }: Search,
): Promise<Measured> {
  const run = (streams: number) => attempt(bench, peers, streams, chunks);
  await run(from);
  let best: Measured = { values: {}, fault: `p99 was over ${MAX_P99_MS} ms with ${from} streams` };
  let [good, bad] = [0, maxStreams + 1];
  for (let streams = from; good < streams && streams < bad;) {
    const measured = await firstGood(() => run(streams));
    if (measured) [good, best] = [streams, measured];
    else bad = streams;
    const next = bad > maxStreams ? 2 * good : good + step * Math.floor((bad - good) / 2 / step);
    streams = Math.min(next, maxStreams);
  }
  return best;
}

async function firstGood(run: () => Promise<Measured>): Promise<Measured | undefined> {
  for (let i = 0; i < ATTEMPTS; i += 1) {
    const measured = await run();
    if (measured.fault === undefined && measured.values['p99']! <= MAX_P99_MS) return measured;
  }
  return undefined;
}

/** Reads streams that begin one after the other, and counts the chunks that arrive while all of them are open. */
export async function attempt(
  bench: Pick<Bench, 'agent' | 'upstream'>,
  peers: readonly LoadedPeer[],
  streams: number,
  chunks: number,
): Promise<Measured> {
  const upstream = `${bench.upstream}/?chunks=${chunks}&gap=${GAP_MS}&size=120`;
  /** How many chunks the first stream has sent when a stream begins. */
  const begunAt = (stream: number) => Math.floor((stream / streams) * chunks * BEGIN);
  const used = peers.map((peer) => peer.watch());
  const recordings = await Promise.all(
    Array.from({ length: streams }, async (_, i) => {
      await delay(begunAt(i) * GAP_MS);
      return record(bench.agent, post(peers[i % peers.length]!, upstream));
    }),
  );
  const cpuSeconds = used.reduce((sum, usage) => sum + usage().cpuSeconds, 0);
  const readings = recordings.map((each) => reading(each, peers[0]!.durable, chunks));
  const last = begunAt(streams - 1);
  const ages = readings.flatMap(({ agesMs }, i) => agesMs.slice(last - begunAt(i), chunks - begunAt(i)));
  return {
    values: {
      rate: streams * CHUNKS_PER_SECOND,
      p99: percentile(ages, 0.99),
      cpuPerChunk: (cpuSeconds * 1e6) / (streams * chunks),
    },
    fault: faultOf(readings),
  };
}
