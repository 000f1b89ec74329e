import type { Resumption } from 'durable-proxy/client';

/** An event of the connection, `ms` after the beginning. */
export interface Mark {
  readonly ms: number;
  readonly kind: 'connected' | 'lost' | 'resumed' | 'complete' | 'stopped' | 'failed';
  readonly label: string;
}

/** Number of bytes that had arrived at `ms`, and whether the connection was open. */
export interface Sample {
  readonly ms: number;
  readonly bytes: number;
  readonly lost: boolean;
}

export interface Timeline {
  readonly marks: readonly Mark[];
  readonly samples: readonly Sample[];
}

const ENDS: ReadonlySet<Mark['kind'] | undefined> = new Set(['complete', 'stopped', 'failed']);
const EMPTY: Timeline = { marks: [], samples: [] };
/** Minimum milliseconds between two samples. */
const MIN_GAP_MS = 60;
const MAX_SAMPLES = 600;

/** Records the timeline of each answer from the states of the hook. */
export interface Recorder {
  record(resumption: Resumption, now: number): void;
  /** Advances the time while there are no other events. */
  tick(now: number): void;
  readonly snapshot: () => Timeline;
  readonly subscribe: (changed: () => void) => () => void;
}

export function createRecorder(): Recorder {
  let timeline = EMPTY;
  let last: Resumption | undefined;
  let begin = 0;
  const listeners = new Set<() => void>();

  const record = (next: Resumption, now: number): void => {
    const previous = last;
    last = next;
    if (next === previous || (previous === undefined && next.status === 'idle')) return;
    const wasRunning = previous !== undefined && previous.status !== 'idle' && !isOver(previous);
    // An end does not start a timeline: it may be reported after `idle`, or twice when a stop is confirmed by a lookup.
    if (isOver(next) && !wasRunning && ENDS.has(timeline.marks.at(-1)?.kind)) return;
    const begun = next.status !== 'idle' && !wasRunning && (!isOver(next) || timeline.samples.length === 0);
    if (begun) {
      begin = now;
      timeline = EMPTY;
    }
    const ms = now - begin;
    const mark = next.status === previous?.status && !begun ? undefined : markOf(next, previous, ms);
    const sample: Sample = { ms, bytes: next.receivedBytes, lost: next.status === 'reconnecting' };
    const gap = ms - (timeline.samples.at(-1)?.ms ?? -Infinity);
    if (mark === undefined && gap < MIN_GAP_MS) return;
    add(sample, mark);
  };

  const add = (sample: Sample, mark?: Mark): void => {
    timeline = {
      marks: mark === undefined ? timeline.marks : [...timeline.marks, mark],
      samples: thin([...timeline.samples, sample]),
    };
    for (const changed of listeners) changed();
  };

  return {
    record,
    tick(now) {
      const newest = timeline.samples.at(-1);
      if (newest !== undefined && last !== undefined && !isOver(last)) add({ ...newest, ms: now - begin });
    },
    snapshot: () => timeline,
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}

function markOf(next: Resumption, previous: Resumption | undefined, ms: number): Mark | undefined {
  const at = `${next.receivedBytes.toLocaleString('en')} bytes`;
  switch (next.status) {
    case 'streaming':
      return previous?.status === 'reconnecting' || next.wasResumed
        ? { ms, kind: 'resumed', label: `Resumed at ${shortOffset(previous?.offset ?? next.offset)}` }
        : { ms, kind: 'connected', label: 'Connected' };
    case 'reconnecting':
      return previous?.status === 'streaming'
        ? { ms, kind: 'lost', label: `Connection lost at ${at}` }
        : undefined;
    case 'complete':
      return { ms, kind: 'complete', label: `Complete: ${at}` };
    case 'aborted':
      return { ms, kind: 'stopped', label: `Stopped at ${at}` };
    case 'failed':
    case 'expired':
      return {
        ms,
        kind: 'failed',
        label: next.outcome === undefined ? 'Failed' : `Ended as “${next.outcome}”`,
      };
    case 'idle':
    case 'creating':
      return undefined;
  }
}

/** Shortens an offset for display. Offsets are opaque and start with zeros. */
function shortOffset(offset: string | undefined): string {
  return offset === undefined ? 'the beginning' : `offset ${offset.replace(/^0+(?=\w)/, '')}`;
}

function isOver({ status }: Resumption): boolean {
  return status === 'complete' || status === 'aborted' || status === 'failed' || status === 'expired';
}

/** Drops every second sample if there are too many. */
function thin(samples: Sample[]): readonly Sample[] {
  return samples.length <= MAX_SAMPLES
    ? samples
    : samples.filter((_sample, index) => index % 2 === 0 || index === samples.length - 1);
}
