import { PREFER, STREAM_CLOSED, STREAM_NEXT_OFFSET } from '../../protocol/headers.ts';
import { LIVE, LIVE_SSE, OFFSET, OFFSET_START } from '../../protocol/query.ts';
import { nowMs } from '../clock.ts';
import type { Peer, PeerName } from '../peers/index.ts';
import { post, reading, record } from '../read.ts';
import { eachPeer, type Bench, type Measured, type Target, type Work } from '../work.ts';

export interface CatchUpOptions {
  readonly name: string;
  /** Lengths of the streams: each is a subject of its own. */
  readonly lengths: readonly number[];
  /** Bytes that a round reads of each. */
  readonly total: number;
  readonly peers: readonly PeerName[];
  readonly targets: readonly Target[];
}

const CHUNK_BYTES = 4_096;

/** Finished answers, read from their beginning: by plain reads, and as SSE. */
export function catchUpOfFinished({ name, lengths, total, peers, targets }: CatchUpOptions): Work {
  const made = new Map<string, Promise<Finished>>();
  return {
    name,
    title: 'catch-up of a finished stream',
    metrics: [
      { key: 'rate', title: 'MB/s', digits: 0 },
      { key: 'sse', title: 'as SSE MB/s', digits: 0 },
      { key: 'cpu', title: 'CPU ms/MB', digits: 2 },
      { key: 'peak', title: 'peak MB', digits: 0 },
    ],
    targets,
    async run(bench) {
      const round: Record<string, Measured> = {};
      for (const length of lengths) {
        const ofLength = await eachPeer(bench, peers, async (peer) => {
          const key = subjectOf(peer.name, length);
          const stream = made.get(key) ?? finished(bench, peer, length);
          made.set(key, stream);
          return catchUp(bench, peer, await stream, Math.ceil(total / length));
        });
        for (const [peer, measured] of Object.entries(ofLength)) round[subjectOf(peer, length)] = measured;
      }
      return round;
    },
  };
}

export const subjectOf = (peer: string, length: number): string => `${peer}, ${length / 1e6} MB`;

interface Finished {
  readonly url: string;
  readonly bytes: number;
  readonly chunks: number;
}

async function catchUp(bench: Bench, peer: Peer, stream: Finished, reads: number): Promise<Measured> {
  const { url, bytes, chunks } = stream;
  const used = peer.watch();
  const begunMs = nowMs();
  let taken = 0;
  for (let i = 0; i < reads; i += 1) taken += await readPlain(bench, url);
  const seconds = (nowMs() - begunMs) / 1_000;
  const { cpuSeconds, peakBytes } = used();
  const sse = await readSse(bench, url, chunks);
  return {
    values: {
      rate: taken / 1e6 / seconds,
      sse: sse.rate,
      cpu: (cpuSeconds * 1_000) / (taken / 1e6),
      peak: peakBytes / 1e6,
    },
    fault: taken === bytes * reads ? sse.fault : `${taken} bytes came of ${bytes} × ${reads}`,
  };
}

/** Creates the stream, and returns it once it is closed. */
async function finished(bench: Bench, peer: Peer, length: number): Promise<Finished> {
  const chunks = Math.ceil(length / CHUNK_BYTES);
  const upstream = `${bench.upstream}/?chunks=${chunks}&size=${CHUNK_BYTES}`;
  const created = await record(bench.agent, post(peer, upstream, { [PREFER]: '' }));
  const url = new URL(String(created.headers['location']), peer.url).href;
  const { bytes } = await readSse(bench, url, chunks);
  return { url, bytes, chunks };
}

/** Reads like a client that catches up, one response after the other. Returns the number of bytes. */
async function readPlain(bench: Bench, streamUrl: string): Promise<number> {
  const url = new URL(streamUrl);
  let bytes = 0;
  for (let offset = OFFSET_START; ;) {
    url.searchParams.set(OFFSET, offset);
    const { headers, pieces } = await record(bench.agent, { url: url.href, method: 'GET' });
    for (const piece of pieces) bytes += piece.length;
    offset = String(headers[STREAM_NEXT_OFFSET.toLowerCase()]);
    if (headers[STREAM_CLOSED.toLowerCase()] === 'true') return bytes;
  }
}

async function readSse(bench: Bench, streamUrl: string, chunks: number) {
  const url = new URL(streamUrl);
  url.searchParams.set(OFFSET, OFFSET_START);
  url.searchParams.set(LIVE, LIVE_SSE);
  const begunMs = nowMs();
  const recording = await record(bench.agent, { url: url.href, method: 'GET' });
  const seconds = (nowMs() - begunMs) / 1_000;
  const { fault, bytes } = reading(recording, true, chunks);
  return { rate: bytes / 1e6 / seconds, bytes, fault };
}
