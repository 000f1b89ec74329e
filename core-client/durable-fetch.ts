import { abortStored } from './abort.ts';
import { RETRY_CAP_MS } from './backoff.ts';
import { createAnswer, type Answer } from './answer.ts';
import { createCall } from './call.ts';
import { createClientMemory, type ClientMemory } from './client-memory.ts';
import { createCredentialStore } from './credentials.ts';
import { DurableStorageError, type ErrorTarget } from './errors.ts';
import { createProxyClient, discard } from './proxy-client.ts';
import { readRequest } from './request.ts';
import { checkEnvironment } from './requirements.ts';
import { callerOf, scopeKey } from './scope.ts';
import { mergeSettings, type Settings } from './settings.ts';
import { defaultStorage, keysOf } from './storage.ts';
import { streamIdOf } from './stream-handle.ts';
import { trim } from './trim.ts';
import type { DurableFetch, DurableFetchOptions, DurableRequestInit, DurableResponse } from './types.ts';

/** How often a client looks for entries past their time, in milliseconds. */
const SWEEP_MS = 3_600_000;

/**
 * Makes a fetch whose answers survive the network and, where a call has a `requestId`, the page.
 *
 *     const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy', proxyAuthorization: getToken })
 *     const client = new OpenAI({ apiKey, fetch: durableFetch })
 *
 * @param options where the proxy is, and defaults for all calls.
 * @throws TypeError without a `proxyUrl`, or if the environment lacks what the client needs.
 */
export function createDurableFetch(options: DurableFetchOptions): DurableFetch {
  return connect(options, createClientMemory());
}

/**
 * Creates a client that shares what it learns with other clients of the same proxy.
 * @param memory of one `proxyUrl`.
 */
export function connect(options: DurableFetchOptions, memory: ClientMemory): DurableFetch {
  if (!options?.proxyUrl) {
    throw new TypeError("A proxyUrl is needed, such as '/v1/proxy'");
  }
  checkEnvironment();
  const storage = options.storage ?? defaultStorage();
  const { refused } = memory;
  let sweptAt = 0;

  /** Returns what all that is stored for the caller begins with. */
  async function enter(settings: Settings): Promise<string> {
    const { scope, proxyAuthorization } = await callerOf(settings);
    settings.proxyAuthorization = proxyAuthorization;
    return `${settings.storagePrefix}:${await scopeKey(scope, memory.scopes)}:`;
  }

  function open(
    settings: Settings,
    root: string,
    warn = (warning: Error) => settings.onWarning?.(warning),
    isForgotten?: () => boolean | undefined,
  ) {
    const proxy = createProxyClient(settings, options.fetch);
    const prefix = `${root}answer:${proxy.url.href}:`;
    return { proxy, store: createCredentialStore(settings.storage, prefix, refused, warn, isForgotten) };
  }

  /** Runs one call: its caller hears at once of its own signal, and of every other end once. */
  async function run<T extends DurableResponse | null>(
    startedAt: number,
    init: DurableRequestInit,
    target: ErrorTarget,
    signal: AbortSignal | undefined,
    work: (answer: Answer) => Promise<T>,
  ): Promise<T> {
    const settings = mergeSettings(storage, options, init);
    const call = createCall(settings, target);
    trim(memory.open.add(call));
    void call.outcome.then(() => memory.open.delete(call));
    /** No token could be had, as without a network: the call is under way all the same. */
    const lose = (cause: unknown): never => {
      if (target.url) call.dispatch('create');
      throw cause;
    };
    const begin = async (): Promise<T> => {
      try {
        call.root = await call.persist(() => enter(settings).catch(lose), {
          timeoutMs: settings.retryTimeoutMs,
          capMs: RETRY_CAP_MS,
        });
        const { proxy, store } = open(settings, call.root, call.warn, () => call.isReleased);
        if (init.requestId !== undefined && Date.now() - sweptAt > SWEEP_MS) {
          sweptAt = Date.now();
          void store.sweep(settings.storagePrefix);
        }
        const response = await work(createAnswer({ call, settings, proxy, store, memory, startedAt }));
        if (signal?.aborted && response) discard(response);
        return response;
      } catch (error) {
        throw call.fail(error);
      }
    };
    return call.attend(signal, begin());
  }

  const durableFetch = async (input: RequestInfo | URL, init: DurableRequestInit = {}) => {
    const startedAt = (memory.calls += 1);
    const request = await readRequest(input, init);
    request.signal?.throwIfAborted();
    return run(startedAt, init, request, request.signal, (answer) => answer.to(request));
  };
  const resume = (requestId: string, init: DurableRequestInit = {}) =>
    run((memory.calls += 1), { ...init, requestId }, {}, init.signal ?? undefined, (answer) =>
      answer.of(requestId),
    );

  const abort = async (requestId: string, init: DurableRequestInit = {}) => {
    const settings = mergeSettings(storage, options, { ...init, requestId });
    const { proxy, store } = open(settings, await enter(settings));
    const { entry } = await store.find(requestId);
    if (!entry) return false;
    const { streamUrl } = entry.credentials;
    const id = streamUrl && streamIdOf(streamUrl);
    if (init.streamId !== undefined && init.streamId !== id) return false;
    await abortStored(proxy, entry.credentials, settings.retryTimeoutMs);
    await entry.finish(id);
    return true;
  };

  const forget = async (init: DurableRequestInit = {}) => {
    const settings = mergeSettings(storage, options, init);
    const root = await enter(settings);
    // Also those that wait for a token: they could store something later.
    for (const call of memory.open) if ((call.root ?? root) === root) call.release();
    for (const known of [memory.creates, memory.unsettled, refused]) {
      for (const name of known.keys()) if (name.startsWith(root)) known.delete(name);
    }
    try {
      for (const name of (await keysOf(settings.storage))!)
        if (name.startsWith(root)) await settings.storage.removeItem(name);
    } catch (cause) {
      throw new DurableStorageError('STORAGE_FAILED', 'forget() needs a storage that lists its keys', {
        cause,
      });
    }
  };
  return Object.assign(durableFetch, { resume, abort, forget });
}
