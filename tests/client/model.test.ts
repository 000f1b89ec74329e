import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createDurableFetch, MemoryStorage } from '../../core-client/index.ts';
import { IDLE, isOver } from '../../core-client/state.ts';
import type { Resumption, ResumptionStatus } from '../../core-client/types.ts';
import { OUTCOMES } from '../../protocol/outcomes.ts';
import { StandIn, type Fault, type StandInStream } from './stand-in.ts';
import { drain, UPSTREAM } from './support.ts';

const CUTS: Fault[] = [
  'before-request',
  'before-answer',
  'mid-headers',
  'after-headers',
  'mid-event',
  'before-control',
  'after-control',
  'clean-end',
  'silence',
  { status: 503 },
];
const POST_CUTS = CUTS.filter((cut) => typeof cut === 'string');

const story = fc.record({
  frames: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 8 }),
  create: fc.array(fc.constantFrom(...POST_CUTS), { maxLength: 4 }),
  read: fc.array(fc.constantFrom(...CUTS), { maxLength: 14 }),
  /** Tabs that start simultaneously: the number of frames after which each of them leaves. */
  leavers: fc.array(fc.nat(8), { maxLength: 3 }),
  expires: fc.boolean(),
  isAsync: fc.boolean(),
  compact: fc.constantFrom(true, false, 'alternate' as const),
  outcome: fc.constantFrom(...OUTCOMES),
});

/** The states that may follow each state. Changes within a state are allowed too; the other states are final. */
const FOLLOWING: Readonly<Partial<Record<ResumptionStatus, readonly ResumptionStatus[]>>> = {
  idle: ['creating', 'reconnecting', 'aborted', 'expired', 'failed'],
  creating: ['idle', 'streaming', 'reconnecting', 'aborted', 'expired', 'failed'],
  streaming: ['idle', 'reconnecting', 'complete', 'aborted', 'expired', 'failed'],
  reconnecting: ['idle', 'creating', 'streaming', 'aborted', 'expired', 'failed'],
};

describe('for any sequence of faults', () => {
  it('[CLIENT-14] an answer is created once, no byte is repeated or missing, and the body always ends', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    await fc.assert(
      fc.asyncProperty(story, async (scenario) => {
        const standIn = await StandIn.start();
        try {
          await play(standIn, scenario);
        } finally {
          await standIn.stop();
        }
      }),
      { numRuns: 60, endOnFailure: true, timeout: 20_000 },
    );
    vi.restoreAllMocks();
  }, 240_000);
});

async function play(
  standIn: StandIn,
  scenario: typeof story extends fc.Arbitrary<infer T> ? T : never,
): Promise<void> {
  const memory = new MemoryStorage();
  const storage = scenario.isAsync
    ? {
        getItem: async (key: string) => memory.getItem(key),
        setItem: async (key: string, value: string) => memory.setItem(key, value),
        removeItem: async (key: string) => memory.removeItem(key),
      }
    : memory;
  const states: Resumption[][] = [];
  const call = () => {
    const own: Resumption[] = [IDLE];
    states.push(own);
    return createDurableFetch({
      proxyUrl: standIn.url,
      storage,
      heartbeatTimeoutMs: 40,
      onResumption: (resumption) => own.push(resumption),
    })(UPSTREAM, { body: 'question', requestId: 'id' });
  };
  const made: StandInStream[] = [];
  standIn.upstream = (stream) => void made.push(stream.push(...scenario.frames));
  standIn.compact = scenario.compact;
  standIn.faults.create.push(...scenario.create);
  standIn.faults.read.push(...scenario.read);

  // The answer is in progress: every call gets it, and none can read it to its end.
  await Promise.all(
    scenario.leavers.map(async (frames) => {
      const reader = (await call()).body!.getReader();
      // A read may return several frames at once, such as after the change to long-poll.
      let left = Buffer.concat(scenario.frames.slice(0, frames)).length;
      while (left > 0) left -= (await reader.read()).value?.length ?? left;
      await reader.cancel();
    }),
  );
  if (scenario.expires) standIn.urlVersion++;
  const response = await call();
  made[0]?.close(scenario.outcome);
  const received: Uint8Array[] = [];
  const reader = response.body!.getReader();
  let error: unknown;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) received.push(part.value);
  } catch (thrown) {
    error = thrown;
  }
  expect(Buffer.concat(received).toString('hex')).toBe(Buffer.concat(scenario.frames).toString('hex'));
  if (scenario.outcome === 'complete') expect(error).toBeUndefined();
  else expect(error).toMatchObject({ name: 'DurableStreamError', outcome: scenario.outcome });
  expect(standIn.upstreamCalls).toBe(1);
  expect(response.wasResumed).toBe(scenario.leavers.length > 0);

  // After the end, the next call gets another answer.
  standIn.faults.read.length = 0;
  standIn.faults.create.length = 0;
  standIn.upstream = (stream) => void stream.push('new').close();
  expect((await drain(await call())).text).toBe('new');
  expect(standIn.upstreamCalls).toBe(2);
  for (const own of states) expectSteps(own);
  expect(
    states.map((own) => own.at(-1)?.status).every((status) => status === 'idle' || isOver(status!)),
  ).toBe(true);
}

function expectSteps(states: readonly Resumption[]): void {
  states.slice(1).forEach(({ status }, at) => {
    const previous = states[at]!.status;
    expect([previous, ...(FOLLOWING[previous] ?? [])]).toContain(status);
  });
}
