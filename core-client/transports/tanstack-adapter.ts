import { createClientMemory } from '../client-memory.ts';
import { createClient } from '../durable-fetch.ts';
import { randomId } from '../fingerprint.ts';
import type { DurableFetchOptions, DurableRequestInit, DurableResponse } from '../types.ts';
import { absoluteUrl, resolve, type Resolvable } from './chat-request.ts';
import { defaultStorage } from '../storage.ts';
import { RecentNames } from './recent-names.ts';
import { ResumptionStore, type ResumptionSource } from './resumption-store.ts';
import { ScopedTurns } from './scoped-turns.ts';
import { chatCaller, chatCallerOnline, type ChatCaller } from './caller.ts';
import { scopeKey } from '../scope.ts';
import { IDLE } from '../state.ts';
import { runEvents } from './tanstack-events.ts';
import { toWireMessages, type TanStackMessage } from './tanstack-wire.ts';
import type { TurnStore } from './turn-store.ts';

/** Maximum number of failed runs that an adapter remembers. A page rejoins its latest run only. */
const MAX_FAILED = 100;

/** The part of TanStack AI's `RunAgentInputContext` that a request contains. */
export interface RunContext {
  readonly threadId: string;
  readonly runId: string;
  readonly parentRunId?: string | undefined;
  readonly resume?: readonly unknown[] | undefined;
  readonly clientTools?: readonly unknown[] | undefined;
  readonly forwardedProps?: Readonly<Record<string, unknown>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** Data that the app passes to a run of TanStack AI. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as TanStack declares it, so that functions written for it fit
export type RunData = Record<string, any>;

/** Options of `createDurableAdapter`. */
export interface DurableAdapterOptions extends Omit<DurableFetchOptions, 'resumeFrom'> {
  /**
   * Returns the name by which a run is found after a reload.
   * @param messages messages of the run, the newest one last.
   * @param data data that the app passed to the run, if any.
   * @default its `runId`, the argument of `joinRun`
   */
  getRequestId?: ((messages: readonly TanStackMessage[], data: RunData | undefined) => string) | undefined;
  /** Headers of each request. `Authorization` is sent to the endpoint, not to the proxy. @default none */
  headers?: Resolvable<Record<string, string> | Headers> | undefined;
  /** Additional fields of each request's `forwardedProps`. @default none */
  body?: Resolvable<object> | undefined;
  /**
   * Converts the messages of a request, such as TanStack's `uiMessagesToWire`.
   * @param messages messages of the run, in the form of TanStack AI.
   * @default the form of AG-UI
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- TanStack's function takes TanStack's messages, which this package cannot import
  serializeMessages?: ((messages: any[]) => unknown[]) | undefined;
}

/** A run, and where it is stored once its caller is known. */
interface Run {
  readonly id: string;
  turns?: TurnStore;
}

/** The newest call of an adapter, for `abort`. */
interface Newest {
  response?: Promise<DurableResponse | null>;
  /** True after `abort`. A request that was not sent yet is then not sent. */
  isStopped: boolean;
  /** The request that was sent, until it has a response. */
  unanswered?:
    | { readonly init: DurableRequestInit & { readonly requestId: string }; readonly stop?: AbortController }
    | undefined;
}

/** TanStack AI's `ConnectConnectionAdapter`. */
export interface DurableAdapter {
  /** State of the newest run, for `useResumption`. */
  readonly resumption: ResumptionSource;
  /**
   * Sends messages. Starts the run at the first `next()`.
   * @param messages messages of the run, the newest one last.
   * @param data data that the app passes to this run.
   * @param abortSignal stops reading. Stops the run too if the option `abortUpstream` is set.
   * @param runContext ids of thread and run, and the run's tools, headers and properties. TanStack AI passes it.
   */
  connect(
    messages: readonly TanStackMessage[],
    data?: RunData,
    abortSignal?: AbortSignal,
    runContext?: RunContext,
    // eslint-disable-next-line @typescript-eslint/no-explicit-any -- TanStack's union of events, which this package cannot import; events of the backend pass through
  ): AsyncIterable<any>;
  /**
   * Replays a run from its beginning.
   * @param runId id of the run.
   * @param abortSignal stops reading.
   * @throws AnswerRequestError before the first event if the run is unknown.
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  joinRun(runId: string, abortSignal?: AbortSignal): AsyncIterable<any>;
  /** Stops the newest run on the server. TanStack's `stop()` and closing the page only stop reading. */
  abort(): Promise<void>;
  /** Removes everything that is stored for this user. See `DurableChatTransport.forget`. */
  forget(): Promise<void>;
}

/**
 * Creates an adapter for runs of TanStack AI that survive lost connections, reloads and deploys.
 *
 * @param apiUrl the endpoint that runs the model, absolute or relative to the page.
 * @param options the URL of the proxy, and options of the requests.
 * @example
 * const connection = createDurableAdapter('/api/chat', { proxyUrl: '/v1/proxy' });
 * const chat = useChat({ threadId: 'support-42', connection, persistence: localStoragePersistence() });
 */
export function createDurableAdapter(apiUrl: string, options: DurableAdapterOptions): DurableAdapter {
  const {
    headers: _headers,
    body,
    getRequestId,
    serializeMessages = toWireMessages,
    ...clientOptions
  } = options;
  const { storage = defaultStorage(), storagePrefix = 'durable-proxy', proxyUrl } = options;
  const resumption = new ResumptionStore();
  /** The request ids of runs whose request id differs from the run id. */
  const turns = new ScopedTurns({
    storage,
    storagePrefix,
    kind: `run:${proxyUrl}`,
    warn: (warning) => clientOptions.onWarning?.(warning),
  });
  const memory = createClientMemory(turns.storages);
  const client = createClient({ ...clientOptions, storage, storagePrefix, resumeFrom: 'start' }, memory);
  /** Scope of the newest caller. */
  let scope: string | undefined;
  let newest: Newest | undefined;

  /** Runs that ended with a model error. They are read to their end and not resumed. */
  const failed = new RecentNames(MAX_FAILED);

  const over = (run: Run) => (hasFailed: boolean, refused?: Error) => {
    if (refused) resumption.set({ ...resumption.getSnapshot(), error: refused });
    if (hasFailed) failed.add(run.id);
    else failed.delete(run.id);
    void run.turns?.remove(run.id, undefined);
  };

  /** Switches to the stored runs of a caller. */
  const enter = async (run: Run, caller: ChatCaller): Promise<TurnStore> => {
    if (scope !== caller.scope) failed.clear();
    scope = caller.scope;
    return (run.turns = turns.of(await scopeKey(scope, memory.scopes)));
  };

  /** Starts a call and makes it the newest one. */
  const start = (
    open: (own: DurableRequestInit, call: Newest) => Promise<DurableResponse | null>,
    signal: AbortSignal | undefined,
  ) => {
    const call: Newest = (newest = { isStopped: false });
    const own: DurableRequestInit = {
      // The client needs the signal to stop the upstream. Without `abortUpstream`, an abort only stops reading.
      ...(clientOptions.abortUpstream && signal && { signal }),
      onResumption(now) {
        if (newest === call) resumption.set(now);
        clientOptions.onResumption?.(now);
      },
    };
    const response = (call.response = open(own, call));
    // Readers of the run get the error. There may be no reader.
    response.catch(() => undefined);
    return response;
  };

  const request = async (
    messages: readonly TanStackMessage[],
    data: RunData | undefined,
    { run, ownRun, call }: { readonly run: RunContext; readonly ownRun: Run; readonly call: Newest },
    own: DurableRequestInit,
  ): Promise<DurableResponse> => {
    const forwardedProps = { ...(await resolve(body)), ...run.forwardedProps, ...data };
    const { runId, threadId, parentRunId, resume } = run;
    const caller = await chatCallerOnline(
      { ...options, onResumption: own.onResumption },
      own.signal ?? undefined,
    );
    const runs = await enter(ownRun, caller);
    const sent = new Headers(caller.headers);
    for (const [name, value] of Object.entries(run.headers ?? {})) sent.set(name, value);
    sent.set('content-type', 'application/json');
    sent.set('x-run-id', runId);
    const requestId = getRequestId?.(messages, data) ?? runId;
    if (requestId !== runId) await runs.set(runId, { requestId });
    if (call.isStopped) throw runStopped();
    const init: DurableRequestInit = {
      ...own,
      scope: caller.scope,
      proxyAuthorization: caller.proxyAuthorization,
      method: 'POST',
      headers: sent,
      requestId,
      streamKey: runId,
      body: JSON.stringify({
        threadId,
        runId,
        ...(parentRunId !== undefined && { parentRunId }),
        ...(resume !== undefined && { resume }),
        state: {},
        messages: serializeMessages([...messages]),
        tools: run.clientTools ?? [],
        context: [],
        forwardedProps,
        data: forwardedProps,
      }),
    };
    // With `abortUpstream`, the caller's signal ends the request.
    const stop = own.signal ? undefined : new AbortController();
    call.unanswered = { init: { requestId, scope: caller.scope }, ...(stop && { stop }) };
    return client(absoluteUrl(apiUrl), { ...init, ...(stop && { signal: stop.signal }) }).finally(
      () => (call.unanswered = undefined),
    );
  };

  const rejoin = async (run: Run, own: DurableRequestInit, call: Newest): Promise<DurableResponse | null> => {
    const caller = await chatCaller(options);
    const runs = await enter(run, caller);
    if (failed.has(run.id)) return null;
    const kept = await runs.get(run.id);
    const { proxyAuthorization } = caller;
    const init = { ...own, scope: caller.scope, proxyAuthorization, streamKey: run.id };
    const requestId = kept?.requestId ?? run.id;
    if (call.isStopped) throw runStopped();
    call.unanswered = { init: { requestId, scope: caller.scope } };
    const response = await client.resume(requestId, init).finally(() => (call.unanswered = undefined));
    if (!response) void runs.remove(run.id, undefined);
    return response;
  };

  return {
    resumption,
    connect(messages, data, signal, given) {
      const run = given ?? newRun();
      const ownRun: Run = { id: run.runId };
      const open = (own: DurableRequestInit, call: Newest) =>
        request(messages, data, { run, ownRun, call }, own);
      failed.delete(run.runId);
      return runEvents(() => start(open, signal), signal, over(ownRun));
    },
    joinRun(runId, signal) {
      const run: Run = { id: runId };
      return runEvents(() => start((own, call) => rejoin(run, own, call), signal), signal, over(run));
    },
    async forget() {
      const name = options.scope ?? scope ?? (await chatCaller(options)).scope;
      // A request that was not sent yet is not sent.
      if (newest) newest.isStopped = true;
      scope = newest = undefined;
      failed.clear();
      resumption.set(IDLE);
      await turns.forget(await scopeKey(name, memory.scopes));
      await client.forget({ scope: name });
    },
    async abort() {
      const call = newest;
      if (!call) return;
      call.isStopped = true;
      const asked = call.unanswered;
      const stopped = asked && client.abort(asked.init.requestId, asked.init);
      if (asked && (await stopped?.catch((error: unknown) => clientOptions.onWarning?.(error as Error)))) {
        asked.stop?.abort(runStopped());
        return;
      }
      const response = await call.response?.catch(() => null);
      await response?.abort();
    },
  };
}

function runStopped(): DOMException {
  return new DOMException('The run was stopped', 'AbortError');
}

/** Creates ids for callers without TanStack's client, which creates them itself. */
function newRun(): RunContext {
  return { threadId: `thread-${randomId()}`, runId: `run-${randomId()}` };
}
