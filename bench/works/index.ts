import { INDIFFERENT, PEER_NAMES, type PeerName } from '../peers/index.ts';
import { LOST, type Target, type ValueOf, type Work } from '../work.ts';
import { catchUpOfFinished, subjectOf as catchUpSubject } from './catch-up.ts';
import { clientBesideFetch } from './client.ts';
import { concurrentStreams } from './concurrent.ts';
import { firstChunkBeforePause, oneAfterTheOther } from './first-chunk.ts';
import { recoveryBeside, RECOVERABLE, PLAIN } from './recovery.ts';
import { oneStreamManyReaders, subjectOf as readersSubject } from './readers.ts';
import { storeAtRest, STORE } from './store.ts';
import { fullSpeed } from './throughput.ts';

const [NONE, EXPRESS, RESUMABLE, DISK, PROCESS, REDIS, DURABLE_STREAMS] = PEER_NAMES;
const OURS: readonly PeerName[] = [DISK, PROCESS, REDIS, DURABLE_STREAMS];

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
        atMost('p50 ≤ that of resumable-stream', 1, ratio('p50', DISK, RESUMABLE)),
        atMost('p99 ≤ that of resumable-stream', 1, ratio('p99', DISK, RESUMABLE)),
        atMost('p50 ≤ 1 ms', 1, (of) => of(DISK, 'p50')),
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
        atMost('first chunk p50 ≤ 1.3 × the Express pass-through', 1.3, ratio('p50', DISK, EXPRESS)),
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
        atMost('p50 ≤ 4 ms', 4, (of) => of(DISK, 'p50')),
        atMost('p99 ≤ 30 ms', 30, (of) => of(DISK, 'p99')),
        atMost("p50 ≤ 2 ms with durability: 'process'", 2, (of) => of(PROCESS, 'p50')),
        atMost('CPU ≤ 0.6 of resumable-stream with its Redis', 0.6, ratio('cpu', DISK, RESUMABLE)),
      ],
    }),
    concurrentStreams({
      name: 'formats',
      streams: size(300, 50),
      chunks: size(40, 20),
      gapMs: 50,
      isChat: true,
      peers: [DISK, INDIFFERENT],
      targets: [
        atMost(
          'CPU with completeness and usage ≤ 1.03 of that without',
          1.03,
          ratio('cpu', DISK, INDIFFERENT),
        ),
        nothingLost(),
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
        atMost('memory ≤ 100 kB a stream', 100, (of) => of(DISK, 'perStream')),
      ],
    }),
    recoveryBeside({
      name: 'recovery',
      streams: size(300, 30),
      chunks: size(40, 10),
      gapMs: 50,
      peer: DISK,
      targets: [
        nothingLost(RECOVERABLE),
        atMost('CPU ≤ 1.05 × without a recovery', 1.05, ratio('cpu', RECOVERABLE, PLAIN)),
        atMost('p50 ≤ 1.05 × without a recovery', 1.05, ratio('p50', RECOVERABLE, PLAIN)),
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
        atLeast('≥ 0.7 of the Express pass-through', 0.7, ratio('rate', DISK, EXPRESS)),
      ],
    }),
    readers(size),
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
          `CPU ≤ 2 × plain fetch in ${where}`,
          2,
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
      atLeast('≥ 300 MB/s of a stream of 5 MB', 300, (of) => of(catchUpSubject(DISK, short), 'rate')),
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
