// @vitest-environment jsdom
import { act, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../core-client/storage.ts';
import type { Resumption } from '../../core-client/types.ts';
import { answerWith, textAnswer } from './support/answers.ts';
import { openPage, send, textOf, uniqueId, untilStatus, untilText, type Page } from './support/chat.tsx';
import { useWorld } from './support/world.ts';

const world = useWorld();

const open = (more: object = {}): Page => openPage({ api: world.upstream.url, ...world.client, ...more });

/** Unmounts a page, and mounts a new one that has only the stored data. */
function reload(page: Page, more: object = {}): Page {
  page.unmount();
  return open(more);
}

describe('an answer', () => {
  it('is streamed with one upstream call, and reports its status', async () => {
    const seen: Resumption['status'][] = [];
    const page = open({ onResumption: ({ status }: Resumption) => seen.push(status) });
    expect(page.result.current.resumption.status).toBe('idle');
    send(page);
    const exchange = await world.upstream.next();
    expect(exchange.body).toMatchObject({ trigger: 'submit-message', messages: [{ role: 'user' }] });
    exchange.begin().send(...textAnswer('Hel', 'lo').slice(0, 4));
    await untilText(page, 'Hel');
    expect(page.result.current).toMatchObject({ status: 'streaming', resumption: { status: 'streaming' } });
    exchange.send(...textAnswer('Hel', 'lo').slice(4)).done();
    await untilStatus(page, 'ready');
    await waitFor(() =>
      expect(page.result.current.resumption).toMatchObject({ status: 'complete', outcome: 'complete' }),
    );
    expect(textOf(page.result.current.messages.at(-1))).toBe('Hello');
    expect(page.result.current.messages).toHaveLength(2);
    expect(world.upstream.exchanges).toHaveLength(1);
    // The stored content of a finished answer is removed.
    await waitFor(() => expect(JSON.stringify({ ...localStorage })).not.toContain('Hello'));
    expect(seen.filter((status, index) => status !== seen[index - 1])).toEqual([
      'creating',
      'streaming',
      'complete',
    ]);
  });

  it('survives a lost connection after every character', async () => {
    const page = open();
    send(page);
    const exchange = (await world.upstream.next()).begin();
    const events = textAnswer('one ', 'two ', 'three ', 'four');
    let text = '';
    for (const event of events) {
      exchange.send(event);
      text += 'delta' in event ? String(event.delta) : '';
      await untilText(page, text);
      world.relay.cut();
    }
    exchange.done();
    await untilStatus(page, 'ready');
    expect(textOf(page.result.current.messages.at(-1))).toBe('one two three four');
    expect(page.result.current).toMatchObject({ error: undefined, messages: [{}, {}] });
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('continues after a reload with its question, with only api and proxyUrl set', async () => {
    let page = open();
    send(page, 'What is up?');
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('up', '!').slice(0, 4));
    await untilText(page, 'up');
    page = reload(page);
    await untilText(page, 'up');
    expect(page.result.current.resumption.wasResumed).toBe(true);
    exchange.send(...textAnswer('up', '!').slice(4)).done();
    await untilStatus(page, 'ready');
    expect(page.result.current.messages.map(textOf)).toEqual(['What is up?', 'up!']);
    page = reload(page);
    // The answer was read to its end, so there is nothing to resume.
    await act(() => page.result.current.resumeStream());
    expect(page.result.current).toMatchObject({ status: 'ready', messages: [] });
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});

describe('stop', () => {
  it('stops the upstream, and a reload shows one message and resumes nothing', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('half ', 'whole').slice(0, 4));
    await untilText(page, 'half ');
    await act(() => page.result.current.stop());
    await exchange.closed;
    expect(page.result.current).toMatchObject({ status: 'ready', error: undefined });
    await waitFor(() =>
      expect(page.result.current.resumption).toMatchObject({ status: 'aborted', outcome: 'aborted' }),
    );
    const messages = [...page.result.current.messages];
    const again = reload(page, { id, messages });
    await act(() => again.result.current.resumeStream());
    expect(again.result.current).toMatchObject({ status: 'ready', messages: [{}, {}] });
    expect(textOf(again.result.current.messages[1])).toBe('half ');
    expect(again.result.current.resumption.status).toBe('idle');
  });

  it('stops an answer that has not started', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    const exchange = await world.upstream.next();
    let stopped: Promise<void> | undefined;
    act(() => void (stopped = page.result.current.stop()));
    await untilStatus(page, 'ready');
    exchange.begin().send({ type: 'start' });
    await act(async () => stopped);
    await exchange.closed;
    const again = reload(page, { id, messages: [...page.result.current.messages] });
    await act(() => again.result.current.resumeStream());
    expect(again.result.current).toMatchObject({ status: 'ready', messages: [{ role: 'user' }] });
  });

  it('remains in effect after a reload even if the proxy was unreachable', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    (await world.upstream.next()).begin().send(...textAnswer('half ', 'whole').slice(0, 4));
    await untilText(page, 'half ');
    world.relay.down();
    act(() => void page.result.current.stop());
    await untilStatus(page, 'ready');
    const messages = [...page.result.current.messages];
    page.unmount();
    world.relay.up();
    const again = open({ id, messages });
    await act(() => again.result.current.resumeStream());
    expect(again.result.current).toMatchObject({ status: 'ready', messages: [{}, {}] });
    expect(again.result.current.resumption.status).toBe('idle');
  });

  it('reaches the other tabs of the chat', async () => {
    const id = uniqueId();
    const first = open({ id });
    const second = open({ id });
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('half ', 'whole').slice(0, 4));
    await untilText(second, 'half ');
    await act(() => second.result.current.stop());
    await exchange.closed;
    await untilStatus(first, 'ready');
    expect(first.result.current).toMatchObject({ error: undefined, resumption: { outcome: 'aborted' } });
    expect(textOf(first.result.current.messages.at(-1))).toBe('half ');
  });
});

/** A page that has asked the proxy for an answer. The response that there is none is delayed until `release`. */
async function openHeldPage(id: string): Promise<{ page: Page; release: () => void }> {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  let page: Page | undefined;
  await new Promise<void>((resolve) => {
    page = open({
      id,
      async fetch(input: RequestInfo, init?: RequestInit) {
        const response = await fetch(input, init);
        if (response.status === 204) {
          resolve();
          await held;
        }
        return response;
      },
    });
  });
  return { page: page!, release };
}

describe('other pages', () => {
  it('show an answer that a tab started, with its question', async () => {
    const id = uniqueId();
    const first = open({ id });
    const second = open({ id });
    send(first, 'Who sees this?');
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('all', ' do').slice(0, 4));
    await untilText(second, 'all');
    exchange.send(...textAnswer('all', ' do').slice(4)).done();
    for (const page of [first, second]) {
      await untilStatus(page, 'ready');
      expect(page.result.current.messages.map(textOf)).toEqual(['Who sees this?', 'all do']);
    }
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('show it even if their lookup has just found nothing', async () => {
    const id = uniqueId();
    const { page: late, release } = await openHeldPage(id);
    const first = open({ id });
    send(first);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('so', '!').slice(0, 4));
    await untilText(first, 'so');
    release();
    await untilText(late, 'so');
    exchange.send(...textAnswer('so', '!').slice(4)).done();
    await untilStatus(late, 'ready');
    expect(late.result.current.messages.map(textOf)).toEqual(['Hello', 'so!']);
  });

  it('show it even if it ended before their lookup', async () => {
    const id = uniqueId();
    const { page: late, release } = await openHeldPage(id);
    const first = open({ id });
    send(first);
    answerWith(await world.upstream.next(), textAnswer('so', '!'));
    await untilStatus(first, 'ready');
    release();
    await untilText(late, 'so!');
    await untilStatus(late, 'ready');
    expect(late.result.current.messages.map(textOf)).toEqual(['Hello', 'so!']);
  });

  it('show it after their own answer has ended', async () => {
    const id = uniqueId();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const slow = open({
      id,
      async fetch(input: RequestInfo, init?: RequestInit) {
        const response = await fetch(input, init);
        if (init?.method !== 'POST') return response;
        // The head of the model's response arrives, then the body stalls.
        const late = new TransformStream<Uint8Array>({
          async transform(chunk, controller) {
            const text = Buffer.from(chunk).toString('latin1');
            const headAt = text.indexOf('upstreamHead');
            const end = headAt < 0 ? chunk.length : text.indexOf('\n\n', headAt) + 2;
            controller.enqueue(chunk.subarray(0, end));
            if (headAt >= 0) await held;
            if (end < chunk.length) controller.enqueue(chunk.subarray(end));
          },
        });
        return new Response(response.body?.pipeThrough(late), response);
      },
    });
    const quick = open({ id });
    send(slow, 'First?');
    answerWith(await world.upstream.next(), textAnswer('one'));
    await untilText(quick, 'one');
    await untilStatus(quick, 'ready');
    send(quick, 'Second?');
    answerWith(await world.upstream.next(), textAnswer('two'));
    await untilText(quick, 'two');
    await untilStatus(quick, 'ready');
    release();
    await untilText(slow, 'two');
    await untilStatus(slow, 'ready');
    for (const page of [slow, quick]) {
      expect(page.result.current.messages.map(textOf)).toEqual(['First?', 'one', 'Second?', 'two']);
    }
    expect(world.upstream.exchanges).toHaveLength(2);
  });

  it('of other devices join an answer in progress, and not a finished one', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('here').slice(0, 4));
    await untilText(page, 'here');
    const device = open({ id, storage: new MemoryStorage() });
    await untilText(device, 'here');
    exchange.send(...textAnswer('here').slice(4)).done();
    await untilStatus(device, 'ready');
    const late = open({ id, storage: new MemoryStorage() });
    await act(() => late.result.current.resumeStream());
    expect(late.result.current).toMatchObject({ status: 'ready', messages: [] });
  });

  it('do not stop the answer when they are closed', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('a', 'b').slice(0, 4));
    await untilText(page, 'a');
    page.rerender({ api: world.upstream.url, ...world.client, id: uniqueId() });
    await waitFor(() => expect(page.result.current.messages).toEqual([]));
    page.rerender({ api: world.upstream.url, ...world.client, id });
    await untilText(page, 'a');
    exchange.send(...textAnswer('a', 'b').slice(4)).done();
    await untilText(page, 'ab');
    expect(world.upstream.exchanges).toHaveLength(1);
  });
});

describe('a closed page', () => {
  it('stops reading, and the next page gets the complete answer even after its end', async () => {
    const id = uniqueId();
    const page = open({ id });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('a', 'b').slice(0, 4));
    await untilText(page, 'a');
    const witness = open({ id, storage: new MemoryStorage() });
    await untilText(witness, 'a');
    page.unmount();
    exchange.send(...textAnswer('a', 'b').slice(4)).done();
    await untilStatus(witness, 'ready');
    const next = open({ id });
    await untilText(next, 'ab');
    await untilStatus(next, 'ready');
    expect(next.result.current.messages.map(textOf)).toEqual(['Hello', 'ab']);
  });
});

describe('a failure', () => {
  it('is reported with its outcome if the proxy crashes, and a retry returns a new answer', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    (await world.upstream.next()).begin().send(...textAnswer('lost').slice(0, 4));
    await untilText(page, 'lost');
    await world.killProxy();
    await waitFor(() => expect(page.result.current.resumption.status).toBe('reconnecting'));
    await world.startProxy();
    await untilStatus(page, 'error');
    expect(page.result.current.resumption).toMatchObject({ status: 'failed', outcome: 'interrupted' });
    let retried: Promise<void> | undefined;
    act(() => void (retried = page.result.current.retry()));
    answerWith(await world.upstream.next(), textAnswer('found'));
    await act(async () => retried);
    expect(page.result.current).toMatchObject({ status: 'ready', error: undefined, messages: [{}, {}] });
    expect(textOf(page.result.current.messages[1])).toBe('found');
  });

  it('is repaired when the network is back', async () => {
    const page = open({ id: uniqueId(), maxReconnectAttempts: 1 });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('on', ' and on').slice(0, 4));
    await untilText(page, 'on');
    world.relay.down();
    await untilStatus(page, 'error');
    expect(page.result.current.resumption).toMatchObject({ status: 'failed', outcome: undefined });
    world.relay.up();
    act(() => void window.dispatchEvent(new Event('online')));
    await untilText(page, 'on');
    exchange.send(...textAnswer('on', ' and on').slice(4)).done();
    await untilStatus(page, 'ready');
    expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'on and on']);
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('is retried without a second answer if the network was lost', async () => {
    const page = open({ id: uniqueId(), maxReconnectAttempts: 1 });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('on', ' and on').slice(0, 4));
    await untilText(page, 'on');
    world.relay.down();
    await untilStatus(page, 'error');
    await act(() => page.result.current.retry());
    expect(page.result.current.status).toBe('error');
    world.relay.up();
    let retried: Promise<void> | undefined;
    act(() => void (retried = page.result.current.retry()));
    exchange.send(...textAnswer('on', ' and on').slice(4)).done();
    await act(async () => retried);
    expect(page.result.current.messages.map(textOf)).toEqual(['Hello', 'on and on']);
    expect(world.upstream.exchanges).toHaveLength(1);
  });

  it('is repaired by a reload after the network was lost', async () => {
    const id = uniqueId();
    const page = open({ id, maxReconnectAttempts: 1 });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('on', ' and on').slice(0, 4));
    await untilText(page, 'on');
    world.relay.down();
    await untilStatus(page, 'error');
    world.relay.up();
    const again = reload(page, { id });
    exchange.send(...textAnswer('on', ' and on').slice(4)).done();
    await untilText(again, 'on and on');
    await untilStatus(again, 'ready');
    expect(again.result.current.messages.map(textOf)).toEqual(['Hello', 'on and on']);
  });

  it('does not repeat the previous answer if the network is lost before the request was sent', async () => {
    const id = uniqueId();
    let isGone = false;
    let asked: (() => void) | undefined;
    const lastRequest = new Promise<void>((resolve) => (asked = resolve));
    // The requests of a closed page end with it.
    const ownFetch: typeof fetch = (input, init) => {
      if (!isGone) return fetch(input, init);
      asked?.();
      return new Promise(() => undefined);
    };
    const page = open({ id, fetch: ownFetch });
    send(page);
    answerWith(await world.upstream.next(), textAnswer('former'));
    await untilStatus(page, 'ready');
    const messages = [...page.result.current.messages];
    isGone = true;
    send(page, 'Anything new?');
    await lastRequest;
    page.unmount();
    const again = open({ id, messages });
    await act(() => again.result.current.resumeStream());
    expect(again.result.current.messages.map(textOf)).toEqual(['Hello', 'former']);
    expect(again.result.current.status).toBe('ready');
  });

  it('is reported if the model ends the answer too early', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    const exchange = (await world.upstream.next()).begin();
    exchange.send(...textAnswer('cut').slice(0, 4)).end();
    await untilStatus(page, 'error');
    expect(page.result.current.error).toMatchObject({ name: 'TruncatedAnswerError' });
    expect(page.result.current.resumption).toMatchObject({ status: 'failed', outcome: 'truncated' });
  });

  it('shows the message of the endpoint if it refuses the request', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    (await world.upstream.next()).begin('text/plain', 429).end('Slow down.');
    await untilStatus(page, 'error');
    expect(page.result.current.error).toMatchObject({ message: 'Slow down.', status: 429 });
  });

  it('does not affect the answer if only the storage fails', async () => {
    const warnings: Error[] = [];
    const refuse = () => {
      throw new DOMException('No room.', 'QuotaExceededError');
    };
    const page = open({
      id: uniqueId(),
      storage: { getItem: refuse, setItem: refuse, removeItem: refuse },
      onWarning: (warning: Error) => warnings.push(warning),
    });
    send(page);
    const exchange = (await world.upstream.next()).begin().send(...textAnswer('o', 'k').slice(0, 4));
    await untilText(page, 'o');
    world.relay.cut();
    exchange.send(...textAnswer('o', 'k').slice(4)).done();
    await untilText(page, 'ok');
    await untilStatus(page, 'ready');
    expect(warnings).not.toHaveLength(0);
  });
});

describe('regenerate', () => {
  it('returns a new answer each time after the previous one was read', async () => {
    const page = open({ id: uniqueId() });
    send(page);
    answerWith(await world.upstream.next(), textAnswer('1'));
    await untilStatus(page, 'ready');
    for (const text of ['2', '3']) {
      let done: Promise<void> | undefined;
      act(() => void (done = page.result.current.regenerate()));
      answerWith(await world.upstream.next(), textAnswer(text));
      await act(async () => done);
      expect(page.result.current.messages.map(textOf)).toEqual(['Hello', text]);
    }
  });
});
