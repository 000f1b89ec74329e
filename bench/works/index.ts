import {
  HONO_PASS,
  IN_EXPRESS,
  IN_HONO,
  PEER_NAMES,
  TELEMETRY,
  TELEMETRY_SAMPLED,
  TWICE,
  WITHOUT_TELEMETRY,
  type Peer,
  type PeerName,
} from '../peers/index.ts';
import { post, type RequestOptions } from '../read.ts';
import { LOST, type Target, type ValueOf, type Work } from '../work.ts';
import { besideEachOther } from './beside.ts';
import { oneCore } from './capacity.ts';
import { catchUpOfFinished, subjectOf as catchUpSubject } from './catch-up.ts';
import { clientBesideFetch } from './client.ts';
import { concurrentStreams } from './concurrent.ts';
import { firstChunkBeforePause, oneAfterTheOther } from './first-chunk.ts';
import { IDLE, idleReaders } from './idle.ts';
import {
  inspectorBesideNone,
  NO_INSPECTOR,
  PAGE_CLOSED,
  PAGE_OPEN,
  telemetryBesideNone,
} from './observed.ts';
import { oneStreamManyReaders, subjectOf as readersSubject } from './readers.ts';
import { storeAtRest, STORE } from './store.ts';
import { fullSpeed } from './throughput.ts';
import { workersOnRedis, workersSubject } from './workers.ts';

const [NONE, EXPRESS, RESUMABLE, DISK, PROCESS, REDIS, DURABLE_STREAMS, , FLUSHES] = PEER_NAMES;
const OURS: readonly PeerName[] = [DISK, PROCESS, REDIS, DURABLE_STREAMS];

/** With completeness and usage, and with `completeness: 'off'`. */
const [READ, IGNORED] = ['completeness on', 'completeness off'];
/** OpenAI can continue responses in background mode alone. None of these answers breaks. */
const [RECOVERABLE, PLAIN] = ['recoverable', 'without a recovery'];
const background =
  (isBackground: boolean) =>
  (peer: Peer, upstream: string): RequestOptions => ({
    ...post(peer, upstream, { 'content-type': 'application/json' }),
    body: JSON.stringify({ stream: true, background: isBackground }),
  });

/** Every work with its targets. `quick`: smaller, to see that all of it runs; its figures say little. */
export function allWorks(quick: boolean): readonly Work[] {
  const size = (full: number, small: number): number => (quick ? small : full);
  return [
    concurrentStreams({
      name: 'tokens',
      streams: 20,
      chunks: size(50, 20),
      gapMs: 20,
      peers: PEER_NAMES,
      targets: [
        atMost('disk: p50 ≤ 1.1 × the pass-through that flushes', 1.1, ratio('p50', DISK, FLUSHES)),
        atMost("'process': p50 ≤ 0.8 × the Express pass-through", 0.8, ratio('p50', PROCESS, EXPRESS)),
        atMost('disk: p99 ≤ that of resumable-stream', 1, ratio('p99', DISK, RESUMABLE)),
        nothingLost(),
      ],
    }),
    firstChunkBeforePause({
      name: 'pause',
      streams: size(10, 3),
      pauseMs: size(2_000, 500),
      peers: PEER_NAMES,
      targets: [
        atMost('first chunk ≤ 2 ms over no proxy', 2, (of) => of(DISK, 'p50') - of(NONE, 'p50')),
        nothingLost(),
      ],
    }),
    oneAfterTheOther({
      name: 'first-chunk',
      streams: size(300, 30),
      chunks: 5,
      keyed: false,
      peers: PEER_NAMES,
      targets: [
        atMost('disk: p50 ≤ 1.4 × the pass-through that flushes', 1.4, ratio('p50', DISK, FLUSHES)),
        atMost("'process': p50 ≤ 1.35 × the Express pass-through", 1.35, ratio('p50', PROCESS, EXPRESS)),
        nothingLost(),
      ],
    }),
    oneAfterTheOther({
      name: 'first-chunk-keyed',
      streams: size(300, 30),
      chunks: 5,
      keyed: true,
      peers: [EXPRESS, ...OURS],
      targets: [nothingLost()],
    }),
    concurrentStreams({
      name: 'load',
      streams: size(300, 50),
      chunks: size(40, 20),
      gapMs: 50,
      peers: PEER_NAMES,
      targets: [
        nothingLost(),
        atMost('disk: p50 ≤ 1.15 × the pass-through that flushes', 1.15, ratio('p50', DISK, FLUSHES)),
        atMost("'process': p50 ≤ 1.1 × the Express pass-through", 1.1, ratio('p50', PROCESS, EXPRESS)),
        atMost('Durable Streams: p50 ≤ 10 ms', 10, (of) => of(DURABLE_STREAMS, 'p50')),
        atMost('disk: CPU ≤ 0.62 of resumable-stream', 0.62, ratio('cpu', DISK, RESUMABLE)),
        atMost("'process': CPU ≤ 0.52 of resumable-stream", 0.52, ratio('cpu', PROCESS, RESUMABLE)),
        atMost('Redis: CPU ≤ 0.8 of resumable-stream', 0.8, ratio('cpu', REDIS, RESUMABLE)),
      ],
    }),
    besideEachOther({
      name: 'formats',
      title: 'with and without completeness and usage',
      streams: size(300, 50),
      chunks: size(60, 20),
      gapMs: size(200, 50),
      answers: '/?format=chat',
      subjects: {
        [READ]: { peer: TWICE, request: post },
        [IGNORED]: {
          peer: TWICE,
          request: ({ secondUrl, durable }, upstream) => post({ url: secondUrl, durable }, upstream),
        },
      },
      targets: [
        nothingLost(READ),
        atMost('CPU with completeness and usage ≤ 1.03 of that without', 1.03, ratio('cpu', READ, IGNORED)),
      ],
    }),
    concurrentStreams({
      name: 'thousand',
      streams: size(1_000, 100),
      chunks: size(40, 10),
      gapMs: 50,
      peers: [NONE, EXPRESS, RESUMABLE, DISK, PROCESS],
      fresh: true,
      targets: [
        nothingLost(),
        atMost('p99 ≤ 100 ms', 100, (of) => of(DISK, 'p99')),
        atMost('memory ≤ 70 kB a stream', 70, (of) => of(DISK, 'perStream')),
      ],
    }),
    concurrentStreams({
      name: 'web',
      streams: size(100, 20),
      chunks: size(200, 20),
      gapMs: 20,
      peers: [EXPRESS, HONO_PASS, IN_EXPRESS, IN_HONO],
      targets: [
        nothingLost(IN_HONO),
        atMost(
          'CPU of a chunk in Hono ≤ 1.3 × that of the middleware in Express',
          1.3,
          ratio('cpuPerChunk', IN_HONO, IN_EXPRESS),
        ),
      ],
    }),
    oneCore({
      name: 'one-core',
      from: size(100, 5),
      step: size(50, 5),
      maxStreams: size(3_200, 10),
      chunks: size(60, 12),
      peers: [RESUMABLE, DISK, REDIS],
      targets: [
        atLeast('chunks a second ≥ 1.5 of resumable-stream', 1.5, ratio('rate', DISK, RESUMABLE)),
        nothingLost(),
      ],
    }),
    besideEachOther({
      name: 'recovery',
      title: 'with and without a recovery',
      streams: size(300, 30),
      chunks: size(60, 10),
      gapMs: size(200, 50),
      answers: '/v1/responses?format=responses',
      subjects: {
        [RECOVERABLE]: { peer: DISK, request: background(true) },
        [PLAIN]: { peer: DISK, request: background(false) },
      },
      targets: [
        nothingLost(RECOVERABLE),
        atMost('CPU ≤ 1.05 × without a recovery', 1.05, ratio('cpu', RECOVERABLE, PLAIN)),
        atMost('p50 ≤ 1.05 × without a recovery', 1.05, ratio('p50', RECOVERABLE, PLAIN)),
      ],
    }),
    inspectorBesideNone({
      name: 'inspector',
      streams: size(1_000, 20),
      chunks: size(40, 12),
      gapMs: size(250, 50),
      targets: [
        nothingLost(PAGE_OPEN),
        atMost('CPU with an inspector ≤ 1.02 of that without', 1.02, ratio('cpu', PAGE_CLOSED, NO_INSPECTOR)),
        atMost('CPU with an open page ≤ 1.02 of that without', 1.02, ratio('cpu', PAGE_OPEN, NO_INSPECTOR)),
      ],
    }),
    telemetryBesideNone({
      name: 'telemetry',
      streams: size(300, 20),
      chunks: size(60, 10),
      gapMs: size(200, 10),
      targets: [
        nothingLost(TELEMETRY),
        ...[TELEMETRY_SAMPLED, TELEMETRY].map((subject) =>
          atMost(`CPU of "${subject}" ≤ 1.1 of that without`, 1.1, ratio('cpu', subject, WITHOUT_TELEMETRY)),
        ),
      ],
    }),
    fullSpeed({
      name: 'full-speed',
      streams: size(8, 2),
      bytes: 2_000_000,
      chunkBytes: 4_096,
      peers: PEER_NAMES,
      targets: [
        nothingLost(),
        atLeast('disk: ≥ 1.2 × resumable-stream', 1.2, ratio('rate', DISK, RESUMABLE)),
        atLeast('Redis: ≥ 0.9 × resumable-stream', 0.9, ratio('rate', REDIS, RESUMABLE)),
      ],
    }),
    workersOnRedis({
      name: 'workers',
      workers: [1, 2],
      streams: [size(100, 20), size(300, 40)],
      chunks: size(100, 20),
      gapMs: 50,
      targets: [nothingLost(workersSubject(2, size(300, 40)))],
    }),
    readers(size),
    idleReaders({
      name: 'idle',
      readers: size(10_000, 300),
      keepAliveMs: size(15_000, 300),
      waitMs: size(60_000, 1_000),
      targets: [
        atMost('no pause of the event loop over 20 ms', 20, (of) => of(IDLE, 'pause')),
        atMost('memory ≤ 20 kB a reader', 20, (of) => of(IDLE, 'perReader')),
        nothingLost(IDLE),
      ],
    }),
    catchUps(size),
    storeAtRest({
      name: 'store',
      stored: size(100_000, 5_000),
      expired: size(10_000, 500),
      targets: [
        atMost('opening ≤ 1 s', 1_000, (of) => of(STORE, 'openMs')),
        atMost('no pause of the event loop over 20 ms', 20, (of) => of(STORE, 'pauseMs')),
      ],
    }),
    clientBesideFetch({
      name: 'client',
      streams: 5,
      chunks: size(2_000, 200),
      gapMs: 1,
      targets: ['Node', 'Chromium'].map((where) =>
        atMost(
          `CPU ≤ 1.3 × plain fetch in ${where}`,
          1.3,
          ratio('cpu', `durableFetch, ${where}`, `plain fetch, ${where}`),
        ),
      ),
    }),
  ];
}

function readers(size: (full: number, small: number) => number): Work {
  const [few, many, most] = [10, size(200, 20), size(500, 40)];
  return oneStreamManyReaders({
    name: 'readers',
    readers: [few, size(50, 15), many, most],
    chunks: size(50, 10),
    gapMs: 20,
    peers: [DISK, PROCESS, REDIS],
    targets: [
      nothingLost(readersSubject(DISK, many)),
      atMost(`p50 ≤ 8 ms with ${many} readers`, 8, (of) => of(readersSubject(DISK, many), 'p50')),
      atMost(
        `CPU a reader with ${most} readers ≤ with ${few}`,
        1,
        ratio('cpu', readersSubject(DISK, most), readersSubject(DISK, few)),
      ),
    ],
  });
}

function catchUps(size: (full: number, small: number) => number): Work {
  const [short, long] = [5_000_000, size(50_000_000, 10_000_000)];
  return catchUpOfFinished({
    name: 'catch-up',
    lengths: [short, long],
    total: size(200_000_000, 20_000_000),
    peers: [DISK, REDIS],
    targets: [
      ...[DISK, REDIS].map((peer) =>
        atLeast(`${peer}: SSE of 5 MB ≥ 0.8 of a plain GET`, 0.8, (of) => {
          const subject = catchUpSubject(peer, short);
          return of(subject, 'sse') / of(subject, 'rate');
        }),
      ),
      atLeast('Redis: ≥ 114 MB/s of a stream of 5 MB', 114, (of) => of(catchUpSubject(REDIS, short), 'rate')),
      atMost(
        `peak memory of a stream of ${long / 1e6} MB ≤ 1.2 × of 5 MB`,
        1.2,
        ratio('peak', catchUpSubject(DISK, long), catchUpSubject(DISK, short)),
      ),
      nothingLost(catchUpSubject(DISK, short)),
    ],
  });
}

const atMost = (text: string, limit: number, value: (of: ValueOf) => number): Target => ({
  text,
  limit,
  value,
  compare: 'at most',
});

const atLeast = (text: string, limit: number, value: (of: ValueOf) => number): Target => ({
  text,
  limit,
  value,
  compare: 'at least',
});

/** Computed per round, so that fluctuations of the machine affect both values. */
const ratio =
  (metric: string, subject: string, to: string) =>
  (of: ValueOf): number =>
    of(subject, metric) / of(to, metric);

const nothingLost = (subject: string = DISK): Target =>
  atMost('nothing lost, nothing twice', 0, (of) => of(subject, LOST));
