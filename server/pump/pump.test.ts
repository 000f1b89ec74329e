import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ManualStore, type HeldOperation } from '../../tests/support/manual-store.ts';
import { createFormatReader } from '../formats/reader.ts';
import { StoreError, type StreamEnd } from '../store/types.ts';
import { Pump, type PumpOptions } from './pump.ts';
import type { Sink, Source } from './source.ts';

const ID = 'answer';
const LINGER_MS = 2_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const event = (data: object) => Buffer.from(`data: ${JSON.stringify(data)}\n\n`);

/** A source that delivers what a test passes to `sink`. */
class ManualSource implements Source {
  sink!: Sink;
  readonly isPaused = false;
  readonly isBehind = false;
  isDiscarded = false;

  deliverTo(sink: Sink): void {
    this.sink = sink;
  }
  pause(): void {}
  resume(): void {}
  drain(): void {}
  discard(): void {
    this.isDiscarded = true;
  }
}

async function pumpOn(store: ManualStore, options: Partial<PumpOptions> = {}): Promise<Pump> {
  await store.create(ID, { contentType: '', ttlSeconds: 60, metadata: {} });
  return new Pump({
    streamId: ID,
    store,
    maxBytes: 1_000_000,
    meter: { room: Infinity, add: () => undefined, close: () => undefined },
    lingerMs: LINGER_MS,
    onFirstByte: () => undefined,
    close: (end, last) => store.close(ID, end, last, 0),
    countStored: () => Promise.resolve(store.logs.get(ID)!.bytes.length),
    fence: 0,
    giveUp: new AbortController().signal,
    ...options,
  });
}

const reader = () => createFormatReader({ 'content-type': 'text/event-stream' });

it('does not end an answer that continues after an event that looked like its end', async () => {
  const store = new ManualStore();
  const pump = await pumpOn(store);
  const source = new ManualSource();
  pump.attach(source, reader());
  source.sink.data(event({ type: 'RUN_STARTED', runId: 'run-1' }));
  source.sink.data(event({ type: 'RUN_FINISHED', runId: 'run-1', finishReason: 'stop' }));
  await vi.advanceTimersByTimeAsync(LINGER_MS / 2);
  // The next step of an agent.
  source.sink.data(event({ type: 'TEXT_MESSAGE_START', messageId: 'm2' }));
  await vi.advanceTimersByTimeAsync(10 * LINGER_MS);
  expect(source.isDiscarded).toBe(false);
  expect(store.logs.get(ID)?.end).toBeUndefined();
  source.sink.data(event({ type: 'RUN_FINISHED', runId: 'run-1', finishReason: 'stop' }));
  await vi.advanceTimersByTimeAsync(LINGER_MS);
  expect(await pump.done).toMatchObject({ outcome: 'complete' });
});

it('stores no byte of an error body if other streams have exceeded the storage limit', async () => {
  const store = new ManualStore();
  const meter = { room: -3, add: () => undefined, close: () => undefined };
  const pump = await pumpOn(store, { meter });
  const end: StreamEnd = { outcome: 'refused', error: { code: 'UPSTREAM_ERROR', message: '' } };
  pump.refuse(end, Buffer.from('an error body'));
  await pump.done;
  expect(store.logs.get(ID)?.bytes).toHaveLength(0);
});

it('reports the usage if the store fails to append the last bytes of a stream that can be handed over', async () => {
  const store = new ManualStore();
  const pump = await pumpOn(store);
  pump.handOver = () => Promise.resolve();
  const source = new ManualSource();
  pump.attach(source, reader());
  source.sink.data(event({ id: 'a', object: 'chat.completion.chunk', model: 'gpt-test', choices: [] }));
  await vi.advanceTimersByTimeAsync(0);
  store.holds = (name) => name === 'append';
  source.sink.data(event({ object: 'chat.completion.chunk', choices: [] }));
  source.sink.data(event({ object: 'chat.completion.chunk', choices: [{ finish_reason: 'stop' }] }));
  const first = await store.nextHeld();
  first.run();
  source.sink.ended();
  const last = await store.nextHeld();
  last.fail(new StoreError('UNAVAILABLE', 'down'));
  expect(await pump.done).toMatchObject({ outcome: 'interrupted', usage: { model: 'gpt-test' } });
});

const down = new StoreError('UNAVAILABLE', 'down');

it.each([
  ['failed', 'one', (close: HeldOperation) => close.fail(down)],
  ['was carried out, but got no reply', 'one, two', (close) => (close.run(), close.fail(down))],
] as [string, string, (close: HeldOperation) => void][])(
  'counts the bytes that are stored if a close with the last bytes %s',
  async (_, stored, end) => {
    const store = new ManualStore();
    const pump = await pumpOn(store);
    const source = new ManualSource();
    pump.attach(source);
    store.holds = (name) => name === 'append' || name === 'close';
    source.sink.data(Buffer.from('one'));
    const append = await store.nextHeld();
    source.sink.data(Buffer.from(', two'));
    source.sink.ended();
    append.run();
    const close = await store.nextHeld();
    store.holds = () => false;
    end(close);
    await vi.runOnlyPendingTimersAsync();
    await pump.done;
    expect(store.logs.get(ID)?.bytes.toString()).toBe(stored);
    expect(pump.bytes).toBe(stored.length);
  },
);

it('does not count lost bytes if the store stays unavailable until a shutdown gives up', async () => {
  const store = new ManualStore();
  const giveUp = new AbortController();
  const fails = () => Promise.reject(down);
  const pump = await pumpOn(store, { giveUp: giveUp.signal, countStored: fails, close: fails });
  const source = new ManualSource();
  pump.attach(source);
  source.sink.data(Buffer.from('one'));
  await pump.flushed();
  store.holds = () => true;
  source.sink.data(Buffer.from(', two'));
  source.sink.data(Buffer.from(', three'));
  (await store.nextHeld()).fail(down);
  giveUp.abort();
  await pump.done;
  expect(pump.bytes).toBe('one'.length);
});
