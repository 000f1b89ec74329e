import { createClientMemory } from '../client-memory.ts';
import { createClient } from '../durable-fetch.ts';
import { isDurableNetworkError } from '../errors.ts';
import { randomId } from '../fingerprint.ts';
import type { DurableFetchOptions, DurableRequestInit, DurableResponse } from '../types.ts';
import { asChatError, wasAborted } from './chat-chunks.ts';
import { absoluteUrl, resolve, type Resolvable } from './chat-request.ts';
import { AnswerRequestError, MalformedAnswerError, TruncatedAnswerError } from './errors.ts';
import { drainEvents, readJsonEvents } from './json-events.ts';
import { defaultStorage } from '../storage.ts';
import { RecentNames } from './recent-names.ts';
import { ResumptionStore, type ResumptionSource } from './resumption-store.ts';
import { ScopedTurns } from './scoped-turns.ts';
import { chatCaller, chatCallerOnline, type ChatCaller } from './caller.ts';
import { scopeKey } from '../scope.ts';
import { IDLE } from '../state.ts';
import { toWireMessages, type TanStackMessage } from './tanstack-wire.ts';
import type { TurnStore } from './turn-store.ts';
import { raceSignal } from './race-signal.ts';
import { markResumed } from './was-resumed.ts';

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
  let newest: Promise<DurableResponse | null> | undefined;
  /** The newest run, while it has no response. */
  let unanswered:
    | { readonly init: DurableRequestInit & { readonly requestId: string }; readonly stop: AbortController }
    | undefined;

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
    open: (own: DurableRequestInit) => Promise<DurableResponse | null>,
    signal: AbortSignal | undefined,
  ) => {
    const response = open({
      // The client needs the signal to stop the upstream. Without `abortUpstream`, an abort only stops reading.
      ...(clientOptions.abortUpstream && signal && { signal }),
      onResumption(now) {
        if (newest === response) resumption.set(now);
        clientOptions.onResumption?.(now);
      },
    });
    newest = response;
    unanswered = undefined;
    // Readers of the run get the error. There may be no reader.
    response.catch(() => undefined);
    return response;
  };

  const request = async (
    messages: readonly TanStackMessage[],
    data: RunData | undefined,
    { run, ownRun }: { readonly run: RunContext; readonly ownRun: Run },
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
    if (own.signal) return client(absoluteUrl(apiUrl), init);
    const stop = new AbortController();
    const asked = (unanswered = { init: { requestId, scope: caller.scope }, stop });
    return client(absoluteUrl(apiUrl), { ...init, signal: stop.signal }).finally(() => {
      if (unanswered === asked) unanswered = undefined;
    });
  };

  const rejoin = async (run: Run, own: DurableRequestInit): Promise<DurableResponse | null> => {
    const caller = await chatCaller(options);
    const runs = await enter(run, caller);
    if (failed.has(run.id)) return null;
    const kept = await runs.get(run.id);
    const { proxyAuthorization } = caller;
    const init = { ...own, scope: caller.scope, proxyAuthorization, streamKey: run.id };
    const response = await client.resume(kept?.requestId ?? run.id, init);
    if (!response) void runs.remove(run.id, undefined);
    return response;
  };

  return {
    resumption,
    connect(messages, data, signal, given) {
      const run = given ?? newRun();
      const ownRun: Run = { id: run.runId };
      const open = (own: DurableRequestInit) => request(messages, data, { run, ownRun }, own);
      failed.delete(run.runId);
      return events(() => start(open, signal), signal, over(ownRun));
    },
    joinRun(runId, signal) {
      const run: Run = { id: runId };
      return events(() => start((own) => rejoin(run, own), signal), signal, over(run));
    },
    async forget() {
      const name = options.scope ?? scope ?? (await chatCaller(options)).scope;
      scope = newest = unanswered = undefined;
      failed.clear();
      resumption.set(IDLE);
      await turns.forget(await scopeKey(name, memory.scopes));
      await client.forget({ scope: name });
    },
    async abort() {
      const asked = unanswered;
      const stopped = asked && client.abort(asked.init.requestId, asked.init);
      if (asked && (await stopped?.catch((error: unknown) => clientOptions.onWarning?.(error as Error)))) {
        asked.stop.abort(new DOMException('The run was stopped', 'AbortError'));
        return;
      }
      const response = await newest?.catch(() => null);
      await response?.abort();
    },
  };
}

const RUN_EVENTS: ReadonlySet<string> = new Set(['RUN_STARTED', 'RUN_FINISHED', 'RUN_ERROR']);

/** Creates ids for callers without TanStack's client, which creates them itself. */
function newRun(): RunContext {
  return { threadId: `thread-${randomId()}`, runId: `run-${randomId()}` };
}

/**
 * Starts the run at the first `next()`, as TanStack's own adapters do. Ends without an error if the signal is aborted.
 *
 * @param onOver called when the run is over, immediately at its `RUN_ERROR` (`hasFailed`), or when the request was
 * refused.
 */
function events(
  open: () => Promise<DurableResponse | null>,
  signal: AbortSignal | undefined,
  onOver: (hasFailed: boolean, refused?: Error) => void,
): AsyncIterable<unknown> {
  const iterable = {
    async *[Symbol.asyncIterator]() {
      const opening = open();
      let reading: ReturnType<typeof readJsonEvents> | undefined;
      let last: string | undefined;
      let refused: Error | undefined;
      const leave = () => void reading?.cancel().catch(() => undefined);
      try {
        const response = await raceSignal(opening, signal);
        if (!response) throw new AnswerRequestError('The run is unknown.', 404);
        if (!response.ok || !response.body) {
          refused = AnswerRequestError.of(response, await response.text());
          throw refused;
        }
        markResumed(iterable, response.wasResumed);
        reading = readJsonEvents(response.body);
        signal?.addEventListener('abort', leave, { once: true });
        for await (const event of untilTerminal(reading, signal)) {
          if (RUN_EVENTS.has(event.type)) last = event.type;
          if (last === 'RUN_ERROR') onOver(true);
          yield event;
        }
        if (!signal?.aborted) onOver(last === 'RUN_ERROR');
      } catch (cause) {
        if (!signal?.aborted && !isDurableNetworkError(cause)) onOver(false, refused);
        if (signal?.aborted) void opening.then((late) => late?.body?.cancel()).catch(() => undefined);
        else if (!wasAborted(cause)) throw asChatError(cause);
      } finally {
        signal?.removeEventListener('abort', leave);
        // The reader may stop at the error. If the body is not read to its end, the run counts as unfinished.
        if (reading && last === 'RUN_ERROR' && !signal?.aborted) void drainEvents(reading);
        else leave();
      }
    },
  };
  return iterable;
}

/** Yields the events of a run. @throws TruncatedAnswerError if the body ends before the run's last event. */
async function* untilTerminal(
  reading: ReturnType<typeof readJsonEvents>,
  signal: AbortSignal | undefined,
): AsyncGenerator<{ readonly type: string }> {
  // An agent loop may finish one run and start the next in the same stream. The last run decides.
  let finished = false;
  for (;;) {
    const next = await reading.next();
    if (signal?.aborted) return;
    if (next.done) break;
    const event = next.value as { readonly type?: unknown } | null;
    if (typeof event?.type !== 'string') throw new MalformedAnswerError('An event of the run has no type.');
    if (event.type === 'RUN_STARTED') finished = false;
    if (event.type === 'RUN_FINISHED' || event.type === 'RUN_ERROR') finished = true;
    yield event as { readonly type: string };
  }
  if (!finished) throw new TruncatedAnswerError('The run ended before its last event.');
}
