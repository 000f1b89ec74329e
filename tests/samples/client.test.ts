import 'fake-indexeddb/auto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createServiceToken } from 'durable-proxy';
import { createDurableFetch, MemoryStorage } from 'durable-proxy/client';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startRelay, type Relay } from '../support/relay.ts';
import type * as FetchSample from './client/fetch.ts';
import type * as OpenaiSample from './readme/openai.ts';
import type * as ErrorsSample from './client/errors.ts';
import type * as BannerSample from './client/banner.ts';
import type * as ResumeSample from './client/resume.ts';
import type * as SessionsSample from './client/sessions.ts';
import type * as StopLaterSample from './client/stop-later.ts';
import type * as StorageSample from './client/storage.ts';
import { loadSample } from './support/load.ts';
import { ANSWER, FIRST_HALF, startModel, type Behavior, type StandInModel } from './support/model.ts';

let model: StandInModel;
let proxy: TestProxy;
let relay: Relay;
beforeAll(async () => {
  model = await startModel();
  // Stands for the app's own session. Who sends a token needs one that is valid.
  proxy = await startProxy({
    authenticate: ({ headers }) => (headers.authorization === undefined ? { subject: 'ada' } : null),
  });
  relay = await startRelay(proxy.url, () => undefined);
});
afterAll(async () => {
  await relay.close();
  await proxy.stop();
  await model.close();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  model.finish();
  model.reset();
});

/** Imports a sample that is connected to the proxy, as a page does when it is opened. */
const open = <Module>(sample: string) =>
  loadSample<Module>(sample, {
    replace: { "'/v1/proxy'": `'${relay.url}/v1/proxy'`, 'https://api.openai.com/v1': model.url },
  });

const connect = () => createDurableFetch({ proxyUrl: `${relay.url}/v1/proxy` });
const essayUrl = () => `${new URL(model.url).origin}/essay`;

/** Collects text, and resolves `firstHalf` when the first half of the answer is there. */
function collect() {
  let text = '';
  let resolve!: () => void;
  const firstHalf = new Promise<void>((done) => (resolve = done));
  return {
    firstHalf,
    get text() {
      return text;
    },
    show: (more: string) => {
      text += more;
      if (text.includes(FIRST_HALF)) resolve();
    },
  };
}

type Reader = ReturnType<typeof collect>;

async function readInto(reader: Reader, body: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>)
    reader.show(decoder.decode(chunk, { stream: true }));
}

describe('[client/fetch.ts]', () => {
  type Sample = typeof FetchSample;
  const token = () => createServiceToken({ jwtSecret: SECRET, subject: 'ada', expiresInSeconds: 60 });
  let chats = 0;
  const app = (reader: Reader) => ({
    getToken: token,
    chatId: String((chats += 1)),
    model: 'gpt-4.1-mini',
    messages: [{ role: 'user', content: 'On drops' }],
    show: reader.show,
  });
  /** What a provider sends is text/event-stream, of which the sample shows every byte. */
  const contents = (text: string) =>
    [...text.matchAll(/"content":("[^"]*")/g)].map(([, json]) => JSON.parse(json!) as string).join('');

  it('sends the request through the proxy and shows the answer', async () => {
    const { ask } = await open<Sample>('client/fetch.ts');
    const reader = collect();
    await ask(app(reader));
    expect(contents(reader.text)).toBe(ANSWER);
    expect(reader.text).toContain('[DONE]');
    expect(model.calls).toMatchObject([{ path: '/v1/chat/completions', body: { model: 'gpt-4.1-mini' } }]);
  });

  it('asks for another token after a 401', async () => {
    const { ask } = await open<Sample>('client/fetch.ts');
    const tokens = ['expired', await token()];
    const reader = collect();
    await ask({ ...app(reader), getToken: async () => tokens.shift() ?? token() });
    expect(contents(reader.text)).toBe(ANSWER);
    expect(tokens).toEqual([]);
  });

  it('continues at the exact byte after a lost connection', async () => {
    const { ask } = await open<Sample>('client/fetch.ts');
    model.behavior = 'slow';
    const reader = collect();
    const asked = ask(app(reader));
    await reader.firstHalf;
    relay.cutAll();
    model.finish();
    await asked;
    expect(contents(reader.text)).toBe(ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it('resumes after a reload', async () => {
    vi.stubGlobal('window', { localStorage: new MemoryStorage() });
    model.behavior = 'slow';
    const [before, after] = [collect(), collect()];
    const parts = app(before);
    const first = (await open<Sample>('client/fetch.ts')).ask(parts);
    await before.firstHalf;
    const second = (await open<Sample>('client/fetch.ts')).ask({ ...parts, show: after.show });
    await after.firstHalf;
    model.finish();
    await Promise.all([first, second]);
    expect(contents(after.text)).toBe(ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it.each<Behavior>([401, 429, 500])('throws an error when the model answers %s', async (behavior) => {
    const { ask } = await open<Sample>('client/fetch.ts');
    model.behavior = behavior;
    await expect(ask(app(collect()))).rejects.toThrow(`The request failed with status ${behavior}`);
  });

  it('throws an error when the model closes its connection early', async () => {
    const { ask } = await open<Sample>('client/fetch.ts');
    model.behavior = 'breaks';
    await expect(ask(app(collect()))).rejects.toMatchObject({ outcome: 'upstream-error' });
  });
});

describe('[readme/openai.ts]', () => {
  type Sample = typeof OpenaiSample;
  const openWithOpenAI = () => {
    vi.stubEnv('OPENAI_BASE_URL', model.url);
    return open<Sample>('readme/openai.ts');
  };

  it('shows the answer that the SDK streams through the proxy', async () => {
    const { ask } = await openWithOpenAI();
    const reader = collect();
    await ask('On drops', reader.show);
    expect(reader.text).toBe(ANSWER);
    expect(model.calls).toMatchObject([{ path: '/v1/chat/completions' }]);
  });

  it('continues after a lost connection', async () => {
    const { ask } = await openWithOpenAI();
    model.behavior = 'slow';
    const reader = collect();
    const asked = ask('On drops', reader.show);
    await reader.firstHalf;
    relay.cutAll();
    model.finish();
    await asked;
    expect(reader.text).toBe(ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it.each<Behavior>([401, 429, 500])(
    'throws the SDK’s own error when the model answers %s',
    async (behavior) => {
      const { ask } = await openWithOpenAI();
      model.behavior = behavior;
      const asked = ask('On drops', () => undefined);
      await expect(asked).rejects.toThrow(`The stand-in model says ${behavior}.`);
    },
  );

  it.each([
    ['breaks', 'upstream-error'],
    ['short', 'truncated'],
  ] as const)('throws when the model %s, after the half that arrived', async (behavior, outcome) => {
    const { ask } = await openWithOpenAI();
    model.behavior = behavior;
    const reader = collect();
    await expect(ask('On drops', reader.show)).rejects.toMatchObject({ name: 'DurableStreamError', outcome });
    expect(reader.text).toBe(FIRST_HALF);
  });
});

describe('[client/errors.ts]', () => {
  type Sample = typeof ErrorsSample;
  const app = () => {
    const reader = collect();
    return {
      reader,
      read: (body: ReadableStream<Uint8Array>) => readInto(reader, body),
      showProviderError: vi.fn(),
      offerToContinue: vi.fn(),
      offerToTryAgain: vi.fn(),
    };
  };

  it('reads an answer', async () => {
    const { ask } = await open<Sample>('client/errors.ts');
    const { reader, ...offers } = app();
    await ask(essayUrl(), { body: 'drops' }, offers);
    expect(reader.text).toBe(ANSWER);
    for (const offer of [offers.showProviderError, offers.offerToContinue, offers.offerToTryAgain])
      expect(offer).not.toHaveBeenCalled();
  });

  it.each<Behavior>([401, 429, 500])('shows the provider’s error when it answers %s', async (behavior) => {
    const { ask } = await open<Sample>('client/errors.ts');
    model.behavior = behavior;
    const parts = app();
    await ask(essayUrl(), { body: 'drops' }, parts);
    expect(parts.showProviderError).toHaveBeenCalledExactlyOnceWith({
      error: { message: `The stand-in model says ${behavior}.` },
    });
  });

  it('offers to try again when the answer was cut, and the same call creates a new answer', async () => {
    const { ask } = await open<Sample>('client/errors.ts');
    model.behavior = 'breaks';
    const parts = app();
    await ask(essayUrl(), { body: 'drops' }, parts);
    expect(parts.offerToTryAgain).toHaveBeenCalledExactlyOnceWith('upstream-error');
    model.behavior = 'ok';
    const again = app();
    await ask(essayUrl(), { body: 'drops' }, again);
    expect(again.reader.text).toBe(ANSWER);
    expect(model.calls).toHaveLength(2);
  });

  it('offers to continue when the connection is lost, and the same call resumes the answer', async () => {
    const { ask } = await open<Sample>('client/errors.ts');
    model.behavior = 'slow';
    const init = { body: 'drops', requestId: 'drops', reconnectTimeoutMs: 50 };
    const parts = app();
    const asked = ask(essayUrl(), init, parts);
    await parts.reader.firstHalf;
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
    relay.cutAll();
    await asked;
    expect(parts.offerToContinue).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
    model.finish();
    const again = app();
    await ask(essayUrl(), init, again);
    expect(again.reader.text).toBe(ANSWER);
    expect(model.calls).toHaveLength(1);
  });
});

it('[client/banner.ts] shows a lost connection until it is back', async () => {
  const { withBanner } = await open<typeof BannerSample>('client/banner.ts');
  const shown: string[] = [];
  let onLost!: () => void;
  const lost = new Promise<void>((resolve) => (onLost = resolve));
  const banner = {
    set textContent(text: string) {
      shown.push(text);
      if (text !== '') onLost();
    },
  };
  const durableFetch = withBanner(banner as HTMLElement);
  model.behavior = 'slow';
  const reader = collect();
  const response = await durableFetch(essayUrl(), { body: 'drops' });
  const read = readInto(reader, response.body!);
  await reader.firstHalf;
  expect(shown.every((text) => text === '')).toBe(true);
  relay.cutAll();
  await lost;
  model.finish();
  await read;
  expect(reader.text).toBe(ANSWER);
  expect(new Set(shown)).toEqual(new Set(['', 'Connection lost. Reconnecting …']));
  expect(shown.at(-1)).toBe('');
});

describe('[client/resume.ts]', () => {
  type Sample = typeof ResumeSample;

  it('resumes an unfinished answer when the page opens', async () => {
    model.behavior = 'slow';
    await connect()(essayUrl(), { body: 'drops', requestId: 'chat-resumed' });
    const reader = collect();
    const page = await open<Sample>('client/resume.ts');
    const opened = page.open('resumed', (body) => readInto(reader, body));
    await reader.firstHalf;
    model.finish();
    await opened;
    expect(reader.text).toBe(ANSWER);
    expect(model.calls).toHaveLength(1);
  });

  it('shows nothing when there is no answer', async () => {
    const show = vi.fn();
    await (await open<Sample>('client/resume.ts')).open('of-nobody', show);
    expect(show).not.toHaveBeenCalled();
  });
});

describe('[client/sessions.ts]', () => {
  type Sample = typeof SessionsSample;

  it('shows one answer in several views, while it arrives', async () => {
    const { view } = await open<Sample>('client/sessions.ts');
    model.behavior = 'slow';
    const [first, second] = [collect(), collect()];
    const views = [first, second].map((reader) => view(essayUrl(), 'drops', ({ text }) => reader.show(text)));
    await Promise.all([first.firstHalf, second.firstHalf]);
    model.finish();
    for (const snapshot of await Promise.all(views)) expect(snapshot).toMatchObject({ text: ANSWER });
    expect(model.calls).toHaveLength(1);
  });

  it.each<Behavior>([500, 'breaks'])(
    'resolves `done` with an error when the model answers %s',
    async (behavior) => {
      const { view } = await open<Sample>('client/sessions.ts');
      model.behavior = behavior;
      expect((await view(essayUrl(), 'drops', () => undefined)).error).toBeInstanceOf(Error);
    },
  );
});

it('[client/stop-later.ts] stops an answer after a reload', async () => {
  type Sample = typeof StopLaterSample;
  vi.stubGlobal('sessionStorage', new MemoryStorage());
  model.behavior = 'slow';
  const response = await connect()(essayUrl(), { body: 'drops' });
  (await open<Sample>('client/stop-later.ts')).remember(response);
  const call = await model.call(0);
  await (await open<Sample>('client/stop-later.ts')).stop();
  expect(await call.closed).toBe(false);
});

it('[client/storage.ts] keeps credentials in IndexedDB, which tabs and workers share', async () => {
  type Sample = typeof StorageSample;
  const [first, second] = [await open<Sample>('client/storage.ts'), await open<Sample>('client/storage.ts')];
  model.behavior = 'slow';
  const init = { body: 'drops', requestId: 'in-indexed-db' };
  await first.durableFetch(essayUrl(), init);
  const resumed = await second.durableFetch(essayUrl(), init);
  expect(resumed.wasResumed).toBe(true);
  model.finish();
  expect(await resumed.text()).toBe(ANSWER);
  expect(model.calls).toHaveLength(1);
});
