import { abortStored } from './abort.ts';
import { createAnswer, type Answer } from './answer.ts';
import { createCall } from './call.ts';
import { createClientMemory, type ClientMemory } from './client-memory.ts';
import { createCredentialStore } from './credentials.ts';
import type { ErrorTarget } from './errors.ts';
import { createProxyClient, discard } from './proxy-client.ts';
import { readRequest } from './request.ts';
import { mergeSettings, type Settings } from './settings.ts';
import { defaultStorage } from './storage.ts';
import { streamIdOf } from './stream-link.ts';
import type { DurableFetch, DurableFetchOptions, DurableRequestInit, DurableResponse } from './types.ts';

/** How often a client looks for entries past their time, in milliseconds. */
const SWEEP_MS = 3_600_000;

/**
 * Makes a fetch whose answers survive the network and, where a call has a `requestId`, the page.
 *
 *     const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy', proxyAuthorization: getToken })
 *     const client = new OpenAI({ apiKey, fetch: durableFetch })
 *
 * @throws TypeError without a `proxyUrl`.
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
  const storage = options.storage ?? defaultStorage();
  const refused = new Map<string, string>();
  let sweptAt = 0;

  function open(settings: Settings, warn: (warning: Error) => void) {
    const proxy = createProxyClient(settings, options.fetch);
    const prefix = `${settings.storagePrefix}:answer:${proxy.url.href}:`;
    return { proxy, store: createCredentialStore(settings.storage, prefix, refused, warn) };
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
    const { proxy, store } = open(settings, call.warn);
    const answer = work(createAnswer({ call, settings, proxy, store, memory, startedAt })).then(
      (response) => {
        if (signal?.aborted && response) discard(response);
        return response;
      },
      (error: unknown) => {
        throw call.fail(error);
      },
    );
    if (init.requestId !== undefined && Date.now() - sweptAt > SWEEP_MS) {
      sweptAt = Date.now();
      void store.sweep();
    }
    return call.attend(signal, answer);
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
    const { proxy, store } = open(settings, (warning) => settings.onWarning?.(warning));
    const { entry } = await store.find(requestId);
    if (!entry) return false;
    const { streamUrl } = entry.credentials;
    const id = streamUrl && streamIdOf(streamUrl);
    if (init.streamId !== undefined && init.streamId !== id) return false;
    await abortStored(proxy, entry.credentials, settings.retryTimeoutMs);
    await entry.finish(id);
    return true;
  };
  return Object.assign(durableFetch, { resume, abort });
}
