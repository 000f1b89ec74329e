import { stop } from './abort.ts';
import type { CallContext } from './call-context.ts';
import { createCall, released, type Call } from './call.ts';
import { createClientMemory, type ClientMemory } from './client-memory.ts';
import { notify } from './notify.ts';
import { createProxyClient } from './proxy-client.ts';
import { readRequest, type UpstreamRequest } from './request.ts';
import { createRecordStore, type RecordHandle } from './request-records.ts';
import { checkEnvironment } from './requirements.ts';
import { resolveCall } from './resolve-call.ts';
import { callerOf, scopeKey } from './scope.ts';
import { mergeSettings, type Settings } from './settings.ts';
import { defaultStorage } from './storage.ts';
import { removeAll } from './stored.ts';
import { streamIdOf } from './stream-handle.ts';
import { trim } from './trim.ts';
import type {
  DurableFetch,
  DurableFetchOptions,
  DurableRequestInit,
  DurableResponse,
  FollowInit,
} from './types.ts';

/** How often a client looks for expired records, in milliseconds. */
const SWEEP_MS = 3_600_000;

/**
 * Creates a `fetch` that sends requests through the proxy. Its responses survive a lost connection and, if a call has a
 * `requestId`, a reload of the page.
 * @param options the URL of the proxy, and defaults for all calls.
 * @throws TypeError if `proxyUrl` is missing, or if the environment lacks what the client needs.
 * @example
 * const durableFetch = createDurableFetch({ proxyUrl: '/v1/proxy', proxyAuthorization: getToken });
 * const client = new OpenAI({ apiKey, fetch: durableFetch });
 */
export function createDurableFetch(options: DurableFetchOptions): DurableFetch {
  return createClient(options, createClientMemory());
}

/**
 * Creates a client that shares its memory with other clients of the same proxy.
 * @param memory the memory of one `proxyUrl`.
 */
export function createClient(options: DurableFetchOptions, memory: ClientMemory): DurableFetch {
  if (!options?.proxyUrl) {
    throw new TypeError("proxyUrl is missing. Example: proxyUrl: '/v1/proxy'");
  }
  checkEnvironment();
  const storage = options.storage ?? defaultStorage();
  let sweptAt = 0;

  /** Resolves the caller. @returns the prefix of everything that is stored for them. */
  async function resolveScope(settings: Settings): Promise<string> {
    const { scope, proxyAuthorization } = await callerOf(settings);
    settings.proxyAuthorization = proxyAuthorization;
    return `${settings.storagePrefix}:${await scopeKey(scope, memory.scopes)}:`;
  }

  function connect(settings: Settings, root: string, call?: Call) {
    const proxy = createProxyClient(settings, options.fetch);
    const records = createRecordStore({
      storage: settings.storage,
      prefix: `${root}answer:${proxy.url.href}:`,
      memory: memory.records,
      warn: (warning) => notify(settings.onWarning, warning),
      isReleased: () => call?.isReleased,
    });
    return { proxy, records };
  }

  /**
   * Runs one call. Rejects at once if the caller's signal aborts.
   * @param startedAt number of the call.
   * @param request the upstream request, undefined for a resume.
   */
  function run(
    { startedAt, onStored }: Pick<CallContext, 'startedAt' | 'onStored'>,
    init: DurableRequestInit,
    request?: UpstreamRequest,
  ): Promise<DurableResponse | null> {
    const signal = (request ?? init).signal ?? undefined;
    const settings = mergeSettings(storage, options, init);
    const call = createCall(settings, request);
    trim(memory.open.set(call, undefined));
    void call.outcome.then(() => memory.open.delete(call));
    const findScope = () =>
      resolveScope(settings).catch((cause: unknown) => {
        // The app could not get a token, for example without a network. The call counts as started.
        if (request) call.dispatch('creating');
        throw cause;
      });
    const start = async () => {
      try {
        const root = await call.persist('request', findScope);
        if (memory.open.has(call)) memory.open.set(call, root);
        const connected = connect(settings, root, call);
        if (init.requestId !== undefined && Date.now() - sweptAt > SWEEP_MS) {
          sweptAt = Date.now();
          // Loaded at the first use. A service worker cannot load it, and has no storage that lasts.
          void import('./sweep.ts').then(
            ({ sweep }) => sweep([settings.storage, ...memory.storages], settings),
            () => undefined,
          );
        }
        return await resolveCall({ ...connected, call, settings, memory, startedAt, onStored }, request);
      } catch (error) {
        throw call.fail(error);
      }
    };
    return call.withSignal(signal, start());
  }

  const durableFetch = async (input: RequestInfo | URL, init: DurableRequestInit = {}) => {
    const startedAt = (memory.calls += 1);
    const { forgets } = memory;
    let onStored!: (record?: RecordHandle) => void;
    const stored = new Promise<RecordHandle | undefined>((resolve) => (onStored = resolve));
    memory.sending.set(init.requestId, stored);
    try {
      const request = await readRequest(input, init);
      request.signal?.throwIfAborted();
      // The user has left while the body was read.
      if (forgets !== memory.forgets) throw released();
      return (await run({ startedAt, onStored }, init, request))!;
    } finally {
      onStored();
      if (memory.sending.get(init.requestId) === stored) memory.sending.delete(init.requestId);
    }
  };

  const resume = (requestId: string, init: DurableRequestInit = {}) =>
    run({ startedAt: (memory.calls += 1) }, { ...init, requestId });

  const abort = async (requestId: string, init: DurableRequestInit = {}) => {
    const settings = mergeSettings(storage, options, { ...init, requestId });
    const { proxy, records } = connect(settings, await resolveScope(settings));
    // Not the stored record of an earlier request, if another one is being sent.
    const sending = await memory.sending.get(requestId);
    const isOwn = sending?.name === records.prefix + requestId;
    const record = isOwn ? sending : (await records.find(requestId)).record;
    if (!record) return false;
    const { streamUrl } = record.data;
    const id = streamUrl && streamIdOf(streamUrl);
    if ((init.streamId ?? id) !== id) return false;
    // If the signed URL has expired, the key stops the stream without a new one.
    const byKey = () => proxy.abortKey(record.data.idempotencyKey);
    const byUrl = () => proxy.abort(streamUrl!);
    await stop({}, settings.retryTimeoutMs, streamUrl ? [byUrl, byKey] : [byKey]);
    await record.finish(id);
    return true;
  };

  const forget = async (init: DurableRequestInit = {}) => {
    const settings = mergeSettings(storage, options, init);
    const root = await resolveScope(settings);
    memory.forgets += 1;
    // Also calls that wait for a token: they could store something later.
    for (const [call, callRoot = root] of memory.open) if (callRoot === root) call.release();
    for (const known of [memory.creates, memory.unsettled, memory.records.refused])
      for (const name of known.keys()) if (name.startsWith(root)) known.delete(name);
    for (const [name, operation] of memory.records.pending) if (name.startsWith(root)) await operation;
    await removeAll(settings.storage, root);
  };

  const follow = async function* (name: string, init?: FollowInit) {
    // Loaded at the first use: few apps follow a name.
    const { followName } = await import('./follow.ts');
    yield* followName(name, init, { options, resume });
  };
  return Object.assign(durableFetch, { resume, abort, forget, follow });
}
