// @vitest-environment jsdom
import { act, waitFor } from '@testing-library/react';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { isBusy } from '../../react/chat-messages.ts';
import { textAnswer } from './support/answers.ts';
import { openPage, send, uniqueId, untilStatus } from './support/chat.tsx';
import { delayedStorage } from './support/delayed-storage.ts';
import type { Exchange } from './support/upstream.ts';
import { useWorld } from './support/world.ts';

/** What happens to a chat: `reload` opens its next page, `text` and `finish` are the model's, `down` and `up` the network's. */
const NAMES = ['send', 'stop', 'resume', 'wake', 'reload', 'text', 'finish', 'down', 'up'] as const;
const BEGIN = textAnswer('Hel').slice(0, 4);
const END = textAnswer().slice(3);

const world = useWorld();

// With full jitter, a delay of zero is possible.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0));
afterEach(() => vi.restoreAllMocks());

async function passTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

/** A storage whose operations take these numbers of turns of the event loop, one after the other. */
function slowStorage(delays: readonly number[]) {
  let count = 0;
  return delayedStorage(() => passTurns(delays[count++ % delays.length]!));
}

/** The model's side of one chat. */
class Answers {
  readonly #open = new Set<Exchange>();
  readonly all: Exchange[] = [];

  /** Begins an answer to each request, until the world forgets its requests. */
  async begin(): Promise<never> {
    for (;;) {
      const exchange = (await world.upstream.next()).begin().send(...BEGIN);
      this.all.push(exchange);
      this.#open.add(exchange);
      void exchange.closed.then(() => this.#open.delete(exchange));
    }
  }

  /** The newest answer, if it is running. The chat shows no older one. */
  get running(): Exchange | undefined {
    const newest = this.all.at(-1);
    return newest && this.#open.has(newest) ? newest : undefined;
  }
}

const turns = fc.oneof(fc.nat(12), fc.integer({ min: 40, max: 100 }));
const steps = fc.array(fc.record({ name: fc.constantFrom(...NAMES), turns }), { maxLength: 12 });
const delays = fc.array(fc.nat(4), { minLength: 1, maxLength: 6 });

it(
  'shows a running answer, stops it at Stop, and requests none twice, whatever happened before',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(steps, delays, async (events, times) => {
        const options = {
          id: uniqueId(),
          api: world.upstream.url,
          ...world.client,
          storage: slowStorage(times),
        };
        const answers = new Answers();
        void answers.begin();
        let page = openPage(options);
        let sent = 0;
        for (const { name, turns } of events) {
          const { current } = page.result;
          if (name === 'send' && !isBusy(current)) {
            sent++;
            send(page, `Question ${sent}`);
          }
          if (name === 'stop') act(() => void current.stop());
          if (name === 'resume') act(() => void current.resumeStream());
          if (name === 'wake') act(() => void window.dispatchEvent(new Event('online')));
          // A page that is replaced while it sends continues to send here, unlike in a browser.
          if (name === 'reload' && current.status !== 'submitted') {
            page.unmount();
            page = openPage(options);
          }
          if (name === 'text') answers.running?.send({ type: 'text-delta', id: 't', delta: '…' });
          if (name === 'down') world.relay.down();
          if (name === 'up') world.relay.up();
          if (name === 'finish') answers.running?.send(...END).done();
          await act(() => passTurns(turns));
        }

        world.relay.up();
        const hasStop = events.some(({ name }) => name === 'stop');
        await waitFor(() => {
          if (hasStop) expect(answers.all.length).toBeLessThanOrEqual(sent);
          else expect(answers.all).toHaveLength(sent);
          if (answers.running && !isBusy(page.result.current)) {
            act(() => void page.result.current.resumeStream());
            throw new Error('The page does not show the running answer');
          }
        });
        const { running } = answers;
        act(() => void page.result.current.stop());
        await running?.closed;
        await untilStatus(page, 'ready');
        page.unmount();
        page = openPage(options);
        await act(() => page.result.current.resumeStream());
        expect(page.result.current).toMatchObject({ status: 'ready', error: undefined });
        page.unmount();
        world.upstream.reset();
      }),
      { numRuns: 100, timeout: 10_000 },
    );
  },
);
