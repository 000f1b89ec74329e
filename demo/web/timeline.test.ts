import type { Resumption } from 'durable-proxy/client';
import { describe, expect, it } from 'vitest';
import { createRecorder, type Recorder } from './timeline.ts';

const IDLE: Resumption = {
  status: 'idle',
  wasResumed: false,
  attempt: 0,
  offset: undefined,
  receivedBytes: 0,
  error: undefined,
  outcome: undefined,
};

function play(recorder: Recorder, steps: [ms: number, change: Partial<Resumption>][]): void {
  let resumption = IDLE;
  for (const [ms, change] of steps) recorder.record((resumption = { ...resumption, ...change }), ms);
}

describe('the timeline of a connection', () => {
  it('marks the events of an answer from its beginning', () => {
    const recorder = createRecorder();
    play(recorder, [
      [500, {}],
      [1000, { status: 'creating' }],
      [1100, { status: 'streaming' }],
      [1200, { receivedBytes: 1500, offset: '00001500' }],
      [2000, { status: 'reconnecting', attempt: 1 }],
      [2500, { attempt: 2 }],
      [3000, { status: 'streaming', attempt: 0, wasResumed: true }],
      [3100, { receivedBytes: 3000, offset: '00003000' }],
      [3200, { status: 'complete', outcome: 'complete' }],
    ]);
    expect(recorder.snapshot().marks).toEqual([
      { ms: 100, kind: 'connected', label: 'Connected' },
      { ms: 1000, kind: 'lost', label: 'Connection lost at 1,500 bytes' },
      { ms: 2000, kind: 'resumed', label: 'Resumed at offset 1500' },
      { ms: 2200, kind: 'complete', label: 'Complete: 3,000 bytes' },
    ]);
    expect(recorder.snapshot().samples.at(-1)).toEqual({ ms: 2200, bytes: 3000, lost: false });
  });

  it('shows the outcome of an incomplete answer', () => {
    const ends: [Partial<Resumption>, string][] = [
      [{ status: 'aborted', outcome: 'aborted' }, 'Stopped at 0 bytes'],
      [{ status: 'failed', outcome: 'interrupted' }, 'Ended as “interrupted”'],
      [{ status: 'failed' }, 'Failed'],
    ];
    for (const [end, label] of ends) {
      const recorder = createRecorder();
      play(recorder, [
        [0, { status: 'creating' }],
        [10, end],
      ]);
      expect(recorder.snapshot().marks.at(-1)?.label).toBe(label);
    }
  });

  it('advances while the connection is lost, and stops with the answer', () => {
    const recorder = createRecorder();
    recorder.tick(50);
    expect(recorder.snapshot().samples).toEqual([]);
    play(recorder, [
      [100, { status: 'streaming', receivedBytes: 9 }],
      [200, { status: 'reconnecting' }],
    ]);
    recorder.tick(700);
    expect(recorder.snapshot().samples.at(-1)).toEqual({ ms: 600, bytes: 9, lost: true });
    recorder.record({ ...IDLE, status: 'complete', receivedBytes: 9 }, 800);
    recorder.tick(5000);
    expect(recorder.snapshot().samples.at(-1)).toEqual({ ms: 700, bytes: 9, lost: false });
  });

  it('keeps the marks if an end is reported twice, as after a stop', () => {
    const recorder = createRecorder();
    play(recorder, [
      [0, { status: 'streaming', receivedBytes: 9 }],
      [490, { status: 'idle' }],
      [500, { status: 'aborted' }],
      [510, { outcome: 'aborted' }],
      [520, { status: 'idle' }],
      [530, { status: 'aborted' }],
    ]);
    expect(recorder.snapshot().marks.map(({ label }) => label)).toEqual(['Connected', 'Stopped at 9 bytes']);
  });

  it('restarts with the next answer', () => {
    const recorder = createRecorder();
    play(recorder, [
      [0, { status: 'streaming' }],
      [1000, { status: 'complete' }],
      [9000, { status: 'creating', receivedBytes: 0 }],
      [9100, { status: 'streaming' }],
    ]);
    expect(recorder.snapshot().marks).toEqual([{ ms: 100, kind: 'connected', label: 'Connected' }]);
  });

  it('limits its samples and notifies its listeners, however many bytes arrive', () => {
    const recorder = createRecorder();
    let notified = 0;
    const leave = recorder.subscribe(() => notified++);
    const before = recorder.snapshot();
    const steps = Array.from({ length: 20_000 }, (_, n) => [
      n * 20,
      { status: 'streaming', receivedBytes: n },
    ]);
    play(recorder, steps as [number, Partial<Resumption>][]);
    expect(notified).toBeGreaterThan(100);
    expect(recorder.snapshot()).not.toBe(before);
    expect(recorder.snapshot().samples.length).toBeLessThanOrEqual(600);
    leave();
    const afterwards = notified;
    recorder.record({ ...IDLE, status: 'complete' }, 1e6);
    expect(notified).toBe(afterwards);
  });
});
