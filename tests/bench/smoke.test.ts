import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunner, type Runner } from '../../bench/bench.ts';
import type { PeerName } from '../../bench/peers/index.ts';
import { BUSY, predict } from '../../bench/prediction.ts';
import { post, reading, type Recording } from '../../bench/read.ts';
import { resultOf } from '../../bench/results.ts';
import type { Round, Work } from '../../bench/work.ts';
import { besideEachOther } from '../../bench/works/beside.ts';
import { concurrentStreams } from '../../bench/works/concurrent.ts';
import { allWorks } from '../../bench/works/index.ts';

const PEERS: readonly PeerName[] = ['no proxy', 'durable-proxy, disk'];

describe('the benchmark', () => {
  let runner: Runner;
  const rounds: string[] = [];
  beforeAll(async () => {
    runner = await createRunner({
      quick: true,
      onRound: (work, round) => rounds.push(`${work.name} ${round}`),
    });
  });
  afterAll(() => runner.stop());

  it('runs a work over its peers, loses nothing, and says what it measured', async () => {
    const work = concurrentStreams({
      name: 'tiny',
      streams: 3,
      chunks: 5,
      gapMs: 5,
      peers: PEERS,
      targets: [
        { text: 'never', limit: 0, compare: 'at most', value: (of) => of('durable-proxy, disk', 'p50') },
        { text: 'always', limit: 0, compare: 'at least', value: (of) => of('durable-proxy, disk', 'p50') },
      ],
    });
    const result = await runner.run(work, 2);

    expect(rounds).toEqual(['tiny 0', 'tiny 1']);
    expect(result.voids).toEqual([]);
    expect(Object.keys(result.figures).sort()).toEqual([...PEERS].sort());
    for (const figures of Object.values(result.figures)) {
      expect(Object.keys(figures)).toEqual(['p50', 'p99', 'cpu', 'cpuPerChunk', 'peak']);
      for (const { low, median, high } of Object.values(figures)) {
        expect(low).toBeLessThanOrEqual(median);
        expect(median).toBeLessThanOrEqual(high);
      }
    }
    const ours = result.figures['durable-proxy, disk'];
    expect(ours?.['p50']?.low).toBeGreaterThan(0);
    expect(ours?.['cpu']?.low).toBeGreaterThan(0);
    expect(ours?.['peak']?.low).toBeGreaterThan(10);
    expect(result.targets.map(({ reached }) => reached)).toEqual([false, true]);
  }, 120_000);

  it('compares subjects in one process', async () => {
    const subject = { peer: 'durable-proxy, disk', request: post } as const;
    const work = besideEachOther({
      ...{ name: 'pair', title: 'twice', streams: 3, chunks: 5, gapMs: 5, answers: '/?format=chat' },
      ...{ subjects: { one: subject, other: subject }, targets: [] },
    });
    const { figures, voids } = await runner.run(work, 1);

    expect(voids).toEqual([]);
    expect(Object.keys(figures).sort()).toEqual(['one', 'other']);
    expect(figures['one']?.['cpu']?.low).toBeGreaterThan(0);
  }, 120_000);

  it.each(['inspector', 'telemetry'])(
    'measures the cost of the %s',
    async (name) => {
      const work = allWorks(true).find((each) => each.name === name)!;
      // One round shows that it runs: none before it.
      const { figures, voids } = await runner.run({ ...work, warmsUp: true }, 1);

      expect(voids).toEqual([]);
      expect(Object.keys(figures)).toHaveLength(3);
      for (const each of Object.values(figures)) expect(each['cpu']?.low).toBeGreaterThan(0);
    },
    120_000,
  );
});

describe('a round in which a chunk was lost', () => {
  const work: Work = {
    name: 'work',
    title: 'a work',
    metrics: [{ key: 'p50', title: 'p50', digits: 1 }],
    targets: [{ text: 'at most 5', limit: 5, compare: 'at most', value: (of) => of('peer', 'p50') }],
    run: () => Promise.resolve({}),
  };
  const good = (p50: number): Round => ({ peer: { values: { p50 } } });

  it('is excluded from the figures, and reported', () => {
    const result = resultOf(work, [
      good(4),
      { peer: { values: { p50: 1 }, fault: 'lost' } },
      good(6),
      good(5),
    ]);
    expect(result.figures['peer']?.['p50']).toEqual({ low: 4, median: 5, high: 6 });
    expect(result.voids).toEqual(['round 2, peer: lost']);
    expect(result.targets[0]).toMatchObject({ reached: true, missedBy: 0, figure: { median: 5 } });
  });

  it('is one whose reading has a gap, a repetition, or no end', () => {
    const chunk = (index: number) => `data: {"i":${index},"t":"1.5","pad":""}\n\n`;
    const event = (text: string) => `event: data\ndata: ${Buffer.from(text).toString('base64')}\n\n`;
    const end = 'event: control\ndata: {"upstreamOutcome":"complete"}\n\n';
    const recorded = (text: string): Recording => ({
      status: 200,
      headers: {},
      begunMs: 1,
      // In pieces of any length, as a network has them.
      pieces: text.match(/[^]{1,7}/g)!.map((piece) => Buffer.from(piece)),
      timesMs: text.match(/[^]{1,7}/g)!.map((_, at) => 2 + at / 1_000),
    });
    const whole = reading(recorded(event(chunk(0) + chunk(1)) + end), true, 2);
    expect(whole).toMatchObject({ fault: undefined, bytes: (chunk(0) + chunk(1)).length });
    expect(whole.agesMs).toHaveLength(2);
    expect(reading(recorded(chunk(0) + chunk(1)), false, 2).fault).toBeUndefined();

    const faultOf = (text: string) => reading(recorded(text), true, 2).fault;
    expect(faultOf(event(chunk(0)) + end)).toBe('1 of 2 chunks came');
    expect(faultOf(event(chunk(1)) + end)).toContain('chunk 1 came where 0 was due');
    expect(faultOf(event(chunk(0) + chunk(0)) + end)).toContain('chunk 0 came where 1 was due');
    expect(faultOf(event(chunk(0) + chunk(1)))).toBe('the stream did not end complete');
  });
});

it('predicts the load of several processes by what is busy first', () => {
  const micros = { mainThread: 100, process: 150, redis: 30, load: 20 };
  const of = (processes: number, cores: number) => predict(micros, { processes, nodes: 3, cores });
  expect(of(1, Infinity)).toEqual({ chunksPerSecond: (BUSY * 1e6) / 100, limit: 'main threads' });
  expect(of(100, Infinity)).toEqual({ chunksPerSecond: (BUSY * 3e6) / 30, limit: 'Redis' });
  expect(of(4, 2)).toEqual({ chunksPerSecond: (BUSY * 2e6) / 200, limit: 'cores' });
});
