import { randomUUID } from 'node:crypto';
import { LIVE, LIVE_SSE, OFFSET, OFFSET_START } from '../../protocol/query.ts';
import { PREFER } from '../../protocol/headers.ts';
import type { Peer, PeerName } from '../peers/index.ts';
import { post, reading, record, type Recording } from '../read.ts';
import { percentile } from '../statistics.ts';
import { eachPeer, type Bench, type Measured, type Target, type Work } from '../work.ts';
import { faultOf } from './concurrent.ts';

export interface ReadersOptions {
  readonly name: string;
  /** Numbers of readers: each is a subject of its own. */
  readonly readers: readonly number[];
  readonly chunks: number;
  readonly gapMs: number;
  readonly peers: readonly PeerName[];
  readonly targets: readonly Target[];
}

/** One answer that many read while it is generated. All are connected before its first chunk. */
export function oneStreamManyReaders(options: ReadersOptions): Work {
  const { name, readers, chunks, gapMs, peers, targets } = options;
  return {
    name,
    title: `one stream, many readers, ${chunks} chunks ${gapMs} ms apart`,
    metrics: [
      { key: 'p50', title: 'chunk p50 ms', digits: 2 },
      { key: 'p99', title: 'p99 ms', digits: 2 },
      { key: 'cpu', title: 'CPU µs/reader/chunk', digits: 1 },
      { key: 'peak', title: 'peak MB', digits: 0 },
    ],
    targets,
    async run(bench) {
      const round: Record<string, Measured> = {};
      for (const count of readers) {
        const ofCount = await eachPeer(bench, peers, (peer) => measure(bench, peer, count, chunks, gapMs));
        for (const [peer, measured] of Object.entries(ofCount)) round[subjectOf(peer, count)] = measured;
      }
      return round;
    },
  };
}

export const subjectOf = (peer: string, readers: number): string => `${peer}, ${readers} readers`;

async function measure(
  bench: Bench,
  peer: Peer,
  readers: number,
  chunks: number,
  gapMs: number,
): Promise<Measured> {
  const gate = randomUUID();
  const upstream = `${bench.upstream}/?chunks=${chunks}&gap=${gapMs}&size=120&gate=${gate}`;
  const created = await record(bench.agent, post(peer, upstream, { [PREFER]: '' }));
  const url = new URL(String(created.headers['location']), peer.url);
  url.searchParams.set(OFFSET, OFFSET_START);
  url.searchParams.set(LIVE, LIVE_SSE);
  const recordings = await connected(bench, url.href, readers);
  const used = peer.watch();
  await record(bench.agent, { url: `${bench.upstream}/open?gate=${gate}`, method: 'GET' });
  const readings = (await Promise.all(recordings)).map((each) => reading(each, true, chunks));
  const { cpuSeconds, peakBytes } = used();
  const ages = readings.flatMap(({ agesMs }) => agesMs);
  return {
    values: {
      p50: percentile(ages, 0.5),
      p99: percentile(ages, 0.99),
      cpu: (cpuSeconds * 1e6) / readers / chunks,
      peak: peakBytes / 1e6,
    },
    fault: faultOf(readings),
  };
}

/**
 * Opens the reads, and returns them when all their headers have arrived. In an array: a promise of promises would wait
 * for their ends.
 */
async function connected(bench: Bench, url: string, readers: number): Promise<Promise<Recording>[]> {
  const recordings: Promise<Recording>[] = [];
  const heads = Array.from(
    { length: readers },
    () =>
      new Promise<void>((onHead) => {
        recordings.push(record(bench.agent, { url, method: 'GET', onHead }));
      }),
  );
  await Promise.race([Promise.all(heads), Promise.all(recordings)]);
  return recordings;
}
