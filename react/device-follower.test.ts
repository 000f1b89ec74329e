import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FollowedStream, FollowInit } from '../core-client/types.ts';
import { followDevices, type ReportedStream } from './device-follower.ts';

type Follow = (init: Pick<FollowInit, 'signal' | 'lastEventId'>) => AsyncIterable<FollowedStream>;

/** Web Locks of one browser: one holder of a name at a time, the others wait in order. */
class Locks {
  readonly #tails = new Map<string, Promise<unknown>>();

  request(name: string, { signal }: { signal: AbortSignal }, run: () => Promise<unknown>): Promise<unknown> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const own = before.then(() => {
      signal.throwIfAborted();
      return run();
    });
    this.#tails.set(
      name,
      own.catch(() => undefined),
    );
    return own;
  }
}

/** The proxy's reports about one name. */
class Reports {
  readonly all: ReportedStream[] = [];
  readonly #waiting = new Set<() => void>();
  /** Number of connections. */
  open = 0;

  add(streamId: string, state: ReportedStream['state'] = 'open'): void {
    this.all.push({ streamId, state, eventId: String(this.all.length) });
    for (const wake of this.#waiting) wake();
  }

  readonly follow: Follow = async function* (this: Reports, { signal, lastEventId }: FollowInit) {
    this.open++;
    try {
      // Without a position, the proxy reports the newest stream first.
      let next = lastEventId === undefined ? Math.max(0, this.all.length - 1) : Number(lastEventId) + 1;
      while (!signal?.aborted) {
        const report = this.all[next];
        if (report) {
          next++;
          yield report as FollowedStream;
          continue;
        }
        await new Promise<void>((resolve) => {
          this.#waiting.add(resolve);
          signal?.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    } finally {
      this.open--;
    }
  }.bind(this);
}

let reports: Reports;
let names = 0;
const stops = new Set<() => void>();

beforeEach(() => {
  reports = new Reports();
  vi.stubGlobal('navigator', { locks: new Locks() });
});
afterEach(() => {
  for (const stop of stops) stop();
  stops.clear();
  vi.unstubAllGlobals();
});

/** A tab that follows a name. */
function openTab(name: string, follow: Follow = reports.follow) {
  const seen: ReportedStream[] = [];
  const warnings: Error[] = [];
  const stop = followDevices({
    name,
    follow,
    onStream: (stream) => seen.push(stream),
    onVisible: () => undefined,
    onWarning: (error) => warnings.push(error),
  });
  stops.add(stop);
  return { seen, warnings, stop, ids: () => seen.map(({ streamId }) => streamId) };
}

/** Returns a name that no other test uses. */
const newName = () => `durable-proxy:test:${++names}`;

it('follows over one connection, and reports each stream in all tabs', async () => {
  const name = newName();
  const [first, second] = [openTab(name), openTab(name)];
  reports.add('a');
  await expect.poll(() => [first.ids(), second.ids()]).toEqual([['a'], ['a']]);
  expect(reports.open).toBe(1);
});

it('reports an answer that begins while another tab takes over the connection, once', async () => {
  const name = newName();
  const [first, second] = [openTab(name), openTab(name)];
  reports.add('a');
  await expect.poll(() => second.ids()).toEqual(['a']);
  first.stop();
  reports.add('b');
  reports.add('b', 'closed');
  await expect.poll(() => second.seen.map(({ state }) => state)).toEqual(['open', 'open', 'closed']);
  expect(second.ids()).toEqual(['a', 'b', 'b']);
  expect(first.ids()).toEqual(['a']);
  expect(reports.open).toBe(1);
});

it('reports every stream once and in order, whichever tabs open and close', async () => {
  const action = fc.constantFrom('open', 'close', 'report', 'pass');
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 20 }), async (actions) => {
      const name = newName();
      reports = new Reports();
      const tabs = [openTab(name)];
      for (const next of actions) {
        if (next === 'open') tabs.push(openTab(name));
        if (next === 'close') tabs.shift()?.stop();
        if (next === 'report') reports.add(`stream-${reports.all.length}`);
        if (next === 'pass') await new Promise(setImmediate);
      }
      if (tabs.length === 0) tabs.push(openTab(name));
      reports.add('last');
      for (const tab of tabs) {
        await expect.poll(() => tab.ids().at(-1), { interval: 1 }).toBe('last');
        const positions = tab.seen.map(({ eventId }) => Number(eventId));
        expect(positions).toEqual(positions.map((_, index) => positions[0]! + index));
      }
      for (const tab of tabs) tab.stop();
    }),
    { numRuns: 200 },
  );
});

it('does not report the end of an answer that had ended before', async () => {
  reports.add('old', 'closed');
  const tab = openTab(newName());
  reports.add('new');
  await expect.poll(() => tab.ids()).toEqual(['new']);
});

it('reports a failure of the connection, and none of one that the page ended', async () => {
  const failure = new Error('refused');
  const tab = openTab(newName(), async function* ({ signal }) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (!signal?.aborted) throw failure;
    yield* [];
    throw new Error('aborted');
  });
  await expect.poll(() => tab.warnings).toEqual([failure]);
  const closed = openTab(newName(), async function* () {
    yield* [];
    throw failure;
  });
  closed.stop();
  await new Promise(setImmediate);
  expect(closed.warnings).toEqual([]);
});

it('ignores messages of other scripts on its channel', async () => {
  const name = newName();
  const tab = openTab(name);
  const channel = new BroadcastChannel(name);
  for (const message of [null, 'x', {}, { streamId: 'a', state: 'odd', eventId: '1' }])
    channel.postMessage(message);
  channel.postMessage({ streamId: 'b', state: 'open', eventId: '1' });
  await expect.poll(() => tab.ids()).toEqual(['b']);
  channel.close();
});

it('has a connection of its own in each tab without Web Locks', async () => {
  vi.stubGlobal('navigator', {});
  const name = newName();
  const [first, second] = [openTab(name), openTab(name)];
  reports.add('a');
  await expect.poll(() => [first.ids(), second.ids()].flat()).toContain('a');
  expect(reports.open).toBe(2);
});
