import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Inspectable } from '../../server/inspectable.ts';
import { Hub } from '../../server/inspector/hub.ts';
import { Recorder } from '../../server/inspector/record/recorder.ts';
import { TimelineRecord } from '../../server/inspector/record/timeline.ts';
import type { Viewer } from '../../server/inspector/viewers.ts';
import { ProcessState } from '../../server/inspector/wire/process-state.ts';
import type { InspectorMessage } from '../../server/inspector/wire/types.ts';
import { silentLogger } from '../../server/shared/logger.ts';
import type { ProxyEvent } from '../../server/shared/events.ts';

const MAX_ANSWERS = 1_000;
const MAX_EVENTS = 64;
const MAX_POINTS = 96;
const MAX_PAGES = 32;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const created = (streamId: string): ProxyEvent & { type: 'created' } => ({
  type: 'created',
  streamId,
  upstream: 'https://api.example.com/',
  headersMs: 1,
});
const closed = (streamId: string): ProxyEvent => ({
  type: 'closed',
  streamId,
  outcome: 'complete',
  bytes: 1,
  durationMs: 1,
});
const read = (streamId: string): ProxyEvent => ({ type: 'read-begun', streamId, mode: 'sse' });
const ids = (count: number) => Array.from({ length: count }, (_, index) => `answer-${index}`);

describe('the recorder of the inspector', () => {
  const create = () =>
    new Recorder({
      processId: 'p',
      bytesOf: () => undefined,
      running: () => 0,
      isDraining: () => false,
    });

  it('keeps 1,000 answers, and drops the one that ended first', () => {
    const recorder = create();
    const page = new ProcessState('p');
    recorder.onEvent(created('running'));
    page.apply(recorder.frameSince(undefined));
    const version = recorder.version;
    for (const id of ids(MAX_ANSWERS + 500)) for (const of of [created, closed]) recorder.onEvent(of(id));
    page.apply(recorder.frameSince(version));
    const kept = recorder.frameSince(undefined).rows.map(({ id }) => id);
    expect(kept).toEqual(['running', ...ids(MAX_ANSWERS + 500).slice(501)]);
    expect([...page.rows.values()].map(({ id }) => id)).toEqual(kept);
  });

  it('keeps 1,000 answers if all are running', () => {
    const recorder = create();
    for (const id of ids(MAX_ANSWERS + 500)) recorder.onEvent(created(id));
    expect(recorder.frameSince(undefined).rows).toHaveLength(MAX_ANSWERS);
  });

  it('sends everything to a page that missed more than 1,000 dropped answers', () => {
    const recorder = create();
    const version = recorder.version;
    for (const id of ids(3 * MAX_ANSWERS)) recorder.onEvent(created(id));
    expect(recorder.frameSince(version)).toMatchObject({ isFull: true, gone: [] });
  });

  it('keeps the readers of 1,000 answers of other processes', () => {
    const recorder = create();
    for (const id of ids(MAX_ANSWERS + 500)) recorder.onEvent(read(id));
    expect(Object.keys(recorder.frameSince(undefined).elsewhere)).toHaveLength(MAX_ANSWERS);
  });

  it('keeps 200 characters of a text that a caller chose', () => {
    const recorder = create();
    recorder.onEvent({ ...created('a'), subject: 's'.repeat(10_000) });
    expect(recorder.frameSince(undefined).rows[0]?.subject).toHaveLength(201);
  });
});

describe('the timeline of an answer', () => {
  it('keeps 64 events: drops the oldest ones of readers, and counts them', () => {
    const record = new TimelineRecord();
    record.add({ type: 'created', at: 0 });
    for (let at = 1; at <= 5_000; at += 1) record.add({ type: 'reader-joined', at });
    record.add({ type: 'ended', at: 5_001 });
    const { events, omitted } = record.snapshot;
    expect(events).toHaveLength(MAX_EVENTS);
    expect(omitted).toBe(5_002 - MAX_EVENTS);
    expect([events[0]?.type, events[1]?.at, events.at(-1)?.type]).toEqual(['created', 4_939, 'ended']);
  });

  it('keeps 64 events if none is about readers', () => {
    const record = new TimelineRecord();
    for (let at = 0; at < 1_000; at += 1) record.add({ type: 'recovered', at });
    expect(record.snapshot.events).toHaveLength(MAX_EVENTS);
  });

  it('keeps at most 96 points, however long the answer runs', () => {
    const record = new TimelineRecord();
    const seconds = 36_000;
    for (let second = 0; second < seconds; second += 1) record.sample(0, second * 1_000, second);
    const { bytes } = record.snapshot;
    expect(bytes!.totals.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(bytes!.totals.length).toBeGreaterThan(MAX_POINTS / 4);
    expect(bytes!.totals.at(-1)).toBe(seconds - 1);
  });
});

describe('the messages to pages', () => {
  function start() {
    const inspectable = {
      context: {
        store: { head: async () => undefined, describe: async () => ({ kind: 'test' }) },
        processes: { id: 'p' },
        peers: {},
        running: new Map(),
        options: { logger: silentLogger },
      },
    };
    return new Hub(inspectable as unknown as Inspectable);
  }

  function page() {
    const messages: InspectorMessage[] = [];
    const viewer: Viewer & { isBehind: boolean } = {
      isBehind: false,
      send: (message: string) => void messages.push(JSON.parse(message) as InspectorMessage),
      end: () => undefined,
    };
    return { viewer, messages };
  }

  it('are two a second, however much happens', async () => {
    const hub = start();
    const { viewer, messages } = page();
    hub.connect(viewer);
    messages.length = 0;
    for (let tenth = 0; tenth < 100; tenth += 1) {
      for (const id of ids(100)) hub.onEvent(read(`${tenth}-${id}`));
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(messages).toHaveLength(20);
  });

  it('wait for a page that reads slowly, which then gets everything in one', async () => {
    const hub = start();
    const { viewer, messages } = page();
    hub.connect(viewer);
    messages.length = 0;
    viewer.isBehind = true;
    hub.onEvent(created('a'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(messages).toHaveLength(0);
    viewer.isBehind = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(messages.map(({ frames }) => [frames[0]?.isFull, frames[0]?.rows.length])).toEqual([
      [true, 1],
      [undefined, 0],
    ]);
  });

  it('go to 32 pages at most', () => {
    const hub = start();
    const accepted = Array.from({ length: MAX_PAGES + 1 }, () => hub.connect(page().viewer));
    expect(accepted.filter(Boolean)).toHaveLength(MAX_PAGES);
    expect(accepted.at(-1)).toBe(false);
  });
});
