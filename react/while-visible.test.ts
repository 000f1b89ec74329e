import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { whileVisible } from './while-visible.ts';

/** How long a hidden page keeps its connections, in milliseconds. */
const HIDDEN_MS = 5_000;

class FakeDocument extends EventTarget {
  visibilityState: 'visible' | 'hidden' = 'visible';

  show(state: 'visible' | 'hidden'): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event('visibilitychange'));
  }
}

let page: FakeDocument;
let events: EventTarget;

beforeEach(() => {
  vi.useFakeTimers();
  page = new FakeDocument();
  events = new EventTarget();
  vi.stubGlobal('document', page);
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events));
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Records the runs, and whether each of them has been ended. */
function start() {
  const runs: AbortSignal[] = [];
  const stop = whileVisible((signal) => runs.push(signal));
  return { stop, ended: () => runs.map(({ aborted }) => aborted) };
}

it('ends the run once the page has been hidden for 5 seconds, and runs again when it is visible', () => {
  const { ended } = start();
  expect(ended()).toEqual([false]);
  page.show('hidden');
  vi.advanceTimersByTime(HIDDEN_MS - 1);
  expect(ended()).toEqual([false]);
  vi.advanceTimersByTime(1);
  expect(ended()).toEqual([true]);
  page.show('visible');
  expect(ended()).toEqual([true, false]);
});

it('keeps the run if the page is hidden for less than 5 seconds', () => {
  const { ended } = start();
  for (let round = 0; round < 3; round++) {
    page.show('hidden');
    vi.advanceTimersByTime(HIDDEN_MS - 1);
    page.show('visible');
  }
  vi.advanceTimersByTime(10 * HIDDEN_MS);
  expect(ended()).toEqual([false]);
});

it('does not run in a page that opens hidden until it is visible', () => {
  page.visibilityState = 'hidden';
  const { ended } = start();
  vi.advanceTimersByTime(HIDDEN_MS);
  expect(ended()).toEqual([]);
  page.show('visible');
  expect(ended()).toEqual([false]);
});

it('ends the run at once when the page enters the back/forward cache, and runs again when it returns', () => {
  const { ended } = start();
  events.dispatchEvent(new Event('pagehide'));
  expect(ended()).toEqual([true]);
  events.dispatchEvent(new Event('pageshow'));
  expect(ended()).toEqual([true, false]);
});

it('ends the run when it is stopped, and ignores the page afterwards', () => {
  const { stop, ended } = start();
  page.show('hidden');
  stop();
  expect(ended()).toEqual([true]);
  page.show('visible');
  events.dispatchEvent(new Event('pageshow'));
  vi.advanceTimersByTime(10 * HIDDEN_MS);
  expect(ended()).toEqual([true]);
});

it('runs at once and until it is stopped if there is no document', () => {
  vi.stubGlobal('document', undefined);
  const { stop, ended } = start();
  expect(ended()).toEqual([false]);
  stop();
  expect(ended()).toEqual([true]);
});
