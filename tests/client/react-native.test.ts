import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createDurableFetch } from '../../core-client/index.ts';
import { createDurableChatTransport } from '../../core-client/transports/index.ts';
import { durableOptions, type Device } from '../../examples/expo-chat/durable.ts';
import { StreamResponse } from '../../examples/expo-chat/stream-response.ts';
import { openChatChannel } from '../../react/chat-channel.ts';
import { TurnLock } from '../../react/turn-lock.ts';
import { phoneOptions } from '../samples/react/phone.ts';
import { SECRET, startProxy, type TestProxy } from '../support/proxy.ts';
import { startUpstream, write, type Upstream } from '../support/upstream.ts';

/** Globals of browsers that React Native does not have. */
const ABSENT = [
  ...['window', 'document', 'location', 'localStorage', 'sessionStorage', 'indexedDB', 'BroadcastChannel'],
  ...['structuredClone', 'addEventListener', 'removeEventListener', 'navigator'],
];

let proxy: TestProxy;
let upstream: Upstream;
let connections: AbortController[];
let foreground: Set<() => void>;
beforeEach(async () => {
  [proxy, upstream] = await Promise.all([startProxy(), startUpstream(({ res }) => void write(res, 'Hel'))]);
  connections = [];
  foreground = new Set();
  for (const name of ABSENT) vi.stubGlobal(name, undefined);
  vi.stubGlobal('Response', StreamResponse);
});
afterEach(async () => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
  await upstream.close();
  await proxy.stop({ drainMs: 0 });
});

/** Like AsyncStorage: asynchronous, with `getAllKeys` instead of `keys`. */
function asyncStorage(): Device['storage'] {
  const items = new Map<string, string>();
  return {
    getItem: async (key) => items.get(key) ?? null,
    setItem: async (key, value) => void items.set(key, value),
    removeItem: async (key) => void items.delete(key),
    getAllKeys: async () => [...items.keys()],
  };
}

const realFetch = fetch;

/** Like `expo/fetch`: takes a URL as a string, and returns an object with the members of a Response that is not one. */
async function expoFetch(url: unknown, init?: RequestInit): Promise<unknown> {
  if (typeof url !== 'string') throw new TypeError('expo/fetch takes a string');
  const connection = new AbortController();
  connections.push(connection);
  init?.signal?.addEventListener('abort', () => connection.abort(init.signal?.reason));
  const { status, headers, ok, body, ...rest } = await realFetch(url, {
    ...init,
    signal: connection.signal,
  }).then((response) => ({
    ...{ status: response.status, headers: response.headers, ok: response.ok, body: response.body },
    text: () => response.text(),
    json: () => response.json() as Promise<unknown>,
    arrayBuffer: () => response.arrayBuffer(),
  }));
  return { status, headers, ok, body, url, ...rest };
}

function phone(storage = asyncStorage()) {
  const device: Device = {
    fetch: expoFetch,
    storage,
    onForeground: (listener) => {
      foreground.add(listener);
      return () => foreground.delete(listener);
    },
    onOnline: () => () => undefined,
  };
  const options = { ...durableOptions(device, proxy.url, async () => SECRET), scope: 'user-1' };
  return { storage, options };
}

async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, text: string): Promise<void> {
  const decoder = new TextDecoder();
  for (let got = ''; got !== text;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the body ended after "${got}"`);
    got += decoder.decode(value, { stream: true });
  }
}

describe('on a phone', () => {
  it('an answer survives a lost connection, and the wait ends when the app comes back', async () => {
    // The longest wait before an attempt: only `wake` ends it in time.
    vi.spyOn(Math, 'random').mockReturnValue(0.999);
    const { options } = phone();
    let isDown = false;
    const durableFetch = createDurableFetch({
      ...options,
      fetch: (input, init) =>
        isDown ? Promise.reject(new TypeError('offline')) : options.fetch(input, init),
    });
    const response = await durableFetch(upstream.url, { method: 'POST', body: '{}', requestId: 'chat-1' });
    const reader = response.body!.getReader();
    await readUntil(reader, 'Hel');
    isDown = true;
    for (const connection of connections) connection.abort();
    const rest = readUntil(reader, 'lo');
    await vi.waitFor(() => expect(foreground.size).toBeGreaterThan(0));
    upstream.calls[0]!.res.end('lo');
    isDown = false;
    for (const onWake of foreground) onWake();
    await rest;
    expect(await response.outcome).toBe('complete');
    expect(foreground.size).toBe(0);
    expect(upstream.calls).toHaveLength(1);
  });

  it('an answer is resumed from AsyncStorage after the app was closed', async () => {
    const { storage, options } = phone();
    const first = await createDurableFetch(options)(upstream.url, {
      method: 'POST',
      body: '{}',
      requestId: 'chat-1',
    });
    await readUntil(first.body!.getReader(), 'Hel');
    const keys = await storage.getAllKeys();
    expect(keys.length).toBeGreaterThan(0);

    const again = createDurableFetch(phone(storage).options);
    const second = await again(upstream.url, { method: 'POST', body: '{}', requestId: 'chat-1' });
    expect(second.wasResumed).toBe(true);
    upstream.calls[0]!.res.end('lo');
    expect(await second.text()).toBe('Hello');
    expect(upstream.calls).toHaveLength(1);
    await again.forget();
    expect(await storage.getAllKeys()).toEqual([]);
  });

  it('the transport of a chat sends and resumes', async () => {
    const { storage, options } = phone();
    const request = {
      chatId: 'main',
      trigger: 'submit-message' as const,
      messageId: undefined,
      messages: [{ id: 'm1', role: 'user' as const, parts: [{ type: 'text' as const, text: 'Hi' }] }],
      abortSignal: undefined,
    };
    const api = `${upstream.url}/api/chat`;
    await createDurableChatTransport({ ...options, api }).sendMessages(request);
    await upstream.call(0);
    const resumed = createDurableChatTransport({ ...phone(storage).options, api });
    expect(await resumed.reconnectToStream({ chatId: 'main' })).not.toBeNull();
    expect(upstream.calls).toHaveLength(1);
  });

  it('the hooks work without the events, channels and locks of pages', async () => {
    const channel = openChatChannel('chat', { onTurn: () => undefined });
    channel.close();
    const lock = new TurnLock();
    await lock.join('stream-1', false);
    expect(lock.hasLock).toBe(true);
  });
});

it('[react/phone.ts] makes a client that reads an answer', async () => {
  const device: Device = {
    fetch: expoFetch,
    storage: asyncStorage(),
    onForeground: () => () => undefined,
    onOnline: () => () => undefined,
  };
  const options = { ...phoneOptions({ ...device, getToken: async () => SECRET }), proxyUrl: proxy.base };
  const response = await createDurableFetch(options)(upstream.url, { method: 'POST', body: '{}' });
  upstream.calls[0]!.res.end('lo');
  expect(await response.text()).toBe('Hello');
});

describe('a missing global', () => {
  it.each(['ReadableStream', 'TextDecoder', 'DOMException', 'AbortController'])('is named: %s', (name) => {
    vi.stubGlobal(name, undefined);
    expect(() => createDurableFetch(phone().options)).toThrow(
      `durable-proxy needs ${name}. Load polyfills before the app: see docs/react-native.md`,
    );
  });

  it('is named in one error', () => {
    vi.stubGlobal('crypto', undefined);
    vi.stubGlobal('TextEncoder', undefined);
    expect(() => createDurableFetch(phone().options)).toThrow(/needs TextEncoder, crypto\./);
  });

  it('is named if Response treats a stream as text, like that of React Native', () => {
    vi.stubGlobal(
      'Response',
      class {
        readonly body = undefined;
      },
    );
    expect(() => createDurableFetch(phone().options)).toThrow(/needs Response with a stream as its body\./);
  });
});
