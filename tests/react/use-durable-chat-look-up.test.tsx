// @vitest-environment jsdom
import 'fake-indexeddb/auto';
import { act } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { MemoryStorage } from '../../core-client/storage.ts';
import { withResolvers } from '../support/with-resolvers.ts';
import { textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const ANSWER = textAnswer('one ', 'two');
const world = useWorld();

const open = (more: object): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

/** Creates a `fetch` that holds requests with this method until `release` is called. */
function heldFetch(method: string | undefined) {
  const held = withResolvers();
  const waiting = withResolvers();
  const request: typeof fetch = async (input, init) => {
    if (init?.method === method) {
      waiting.resolve();
      await held.promise;
    }
    return fetch(input, init);
  };
  return { fetch: request, waiting: waiting.promise, release: held.resolve };
}

describe('a look-up that finds nothing', () => {
  it('keeps the messages of a turn whose request another tab is sending', async () => {
    const id = uniqueId();
    const { waiting, release, ...held } = heldFetch('POST');
    const sender = open({ id, ...held });
    send(sender, 'My question');
    await act(() => waiting);
    const other = open({ id });
    await act(() => other.result.current.resumeStream());
    other.unmount();

    release();
    (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
    await untilText(sender, 'one ');
    sender.unmount();
    const reloaded = open({ id });
    await untilText(reloaded, 'one ');
    expect(reloaded.result.current.messages.map(textOf)).toEqual(['My question', 'one ']);
  });

  it('does not hide the next answer of another device if the user stops during it', async () => {
    const id = uniqueId();
    const { waiting, release, ...held } = heldFetch(undefined);
    const page = open({ id, ...held });
    await act(() => waiting);
    await act(async () => {
      const stopped = page.result.current.stop();
      release();
      await stopped;
    });

    const device = createDurableFetch({ ...world.client, storage: new MemoryStorage() });
    const answer = device(world.upstream.url, { method: 'POST', body: '{}', streamKey: id });
    (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
    const { body } = await answer;
    act(() => void window.dispatchEvent(new Event('online')));
    await untilText(page, 'one ');
    await body?.cancel();
  });
});

describe('a function for the token that fails once when the page opens', () => {
  it('is called again, and the answer in progress is shown without a wake event', async () => {
    const id = uniqueId();
    const first = open({ id });
    send(first);
    (await world.upstream.next()).begin().send(...ANSWER.slice(0, 4));
    await untilText(first, 'one ');
    first.unmount();
    let calls = 0;
    const proxyAuthorization = async () => {
      if (++calls === 1) throw new Error('The network is down.');
      return world.client.proxyAuthorization;
    };
    await untilText(open({ id, proxyAuthorization }), 'one ');
  });
});
