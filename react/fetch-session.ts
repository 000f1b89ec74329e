import type { ClientMemory } from '../core-client/client-memory.ts';
import { connect } from '../core-client/durable-fetch.ts';
import { digest, randomId } from '../core-client/fingerprint.ts';
import { createSessionStore, type DurableSession, type StartSession } from '../core-client/session.ts';
import { IDLE } from '../core-client/state.ts';
import { defaultStorage } from '../core-client/storage.ts';
import { AnswerRequestError } from '../core-client/transports/errors.ts';
import type { DurableFetchOptions, Resumption } from '../core-client/types.ts';
import { bodyParser, type BodyParser, type ParseMode } from './parsers.ts';

/** A request, and how its answer is read. */
export interface FetchSessionOptions extends Omit<DurableFetchOptions, 'resumeFrom'> {
  readonly url: string;
  readonly method?: string | undefined;
  readonly headers?: HeadersInit | undefined;
  readonly body?: string | undefined;
  readonly requestId?: string | undefined;
  readonly streamKey?: string | undefined;
  readonly parse: ParseMode;
  readonly throttleMs: number;
}

/** What is there so far. Immutable: a change is a new object. */
export interface FetchSnapshot {
  readonly text: string;
  readonly events: readonly unknown[];
  readonly resumption: Resumption;
}

export const EMPTY: FetchSnapshot = { text: '', events: [], resumption: IDLE };

/** The key of the one session that a store of ours has. */
const ONLY = '';

/**
 * One request, sent as often as it is asked for, and its live answer for all components that show it: the client's
 * session, parsed and throttled.
 */
export class FetchSession {
  #options: FetchSessionOptions;
  readonly #memory: ClientMemory;
  #snapshot = EMPTY;
  readonly #listeners = new Set<() => void>();
  /** Of the newest run. */
  #session: DurableSession | undefined;
  #isHeld = false;
  #isRunning = false;
  /** Aborts when the newest run is not read any more, because no component shows it. */
  #signal: AbortSignal | undefined;
  /** True once somebody has stopped the newest run. */
  #isStopped = false;
  /** Stops the upstream while it has not responded. Returns false if there is nothing to stop. */
  #abortCreate: (() => Promise<boolean>) | undefined;
  #parser: BodyParser = bodyParser('text');
  #events: unknown[] = [];
  #parsed = 0;
  #failure: Error | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Stands for the browser's own id where the storage keeps none. */
  readonly #fallbackId = randomId();

  /** @param memory what the clients of all runs share. */
  constructor(options: FetchSessionOptions, memory: ClientMemory) {
    this.#options = options;
    this.#memory = memory;
  }

  /** Sets the options of the next run. */
  update(options: FetchSessionOptions): void {
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    // A run that is over stays as it is: to hold it again would be another request.
    if (this.#isRunning && !this.#isHeld) {
      this.#isHeld = true;
      this.#session?.retain();
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.release();
    };
  };

  readonly getSnapshot = (): FetchSnapshot => this.#snapshot;

  /** Those of the newest run, or of the next one. */
  get options(): FetchSessionOptions {
    return this.#options;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** True while a component shows the answer. */
  get isShown(): boolean {
    return this.#listeners.size > 0;
  }

  /**
   * Sends the request, or resumes the unfinished answer to it. Resolves with the whole answer.
   *
   * @param onLeft called before the rejection if the answer is not read any more, because no component shows it. The
   * answer continues on the server.
   */
  async run(onLeft: () => void = () => undefined): Promise<unknown> {
    for (;;) {
      const session = this.#begin();
      const { text, response, error } = await session.done;
      const isNewest = session === this.#session;
      const wasLeft = isNewest && isAbortError(error) && !this.#isStopped && this.#signal?.aborted === true;
      // Shown again after reading had stopped, and before the session knew.
      if (wasLeft && this.isShown) continue;
      if (isNewest) this.#isRunning = false;
      if (wasLeft) onLeft();
      if (error !== undefined) throw error as Error;
      if (!response?.ok)
        throw response
          ? AnswerRequestError.of(response, text)
          : new AnswerRequestError('The request was refused.', 0);
      this.#flush(session);
      this.#parse(() => this.#parser.rest());
      this.#publish({ ...this.#snapshot, events: [...this.#events] });
      return this.#result(text);
    }
  }

  /**
   * Stops the answer on the server, also while the upstream has not responded. Does nothing if there is none.
   * @throws DurableNetworkError, DurableStreamError if the server could not be told.
   */
  async abort(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#isStopped = true;
    try {
      if (!session.getSnapshot().response && (await this.#abortCreate?.())) return;
      await session.abort();
    } catch (error) {
      this.#isStopped = false;
      throw error;
    }
  }

  /** Stops reading the answer, unless a component shows it within a second. */
  release(): void {
    if (this.#isHeld) this.#session?.release();
    this.#isHeld = false;
  }

  /** Stops reading and shows nothing any more. The answer continues on the server. */
  clear(): void {
    this.release();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#session = undefined;
    this.#isRunning = false;
    this.#publish(EMPTY);
  }

  /**
   * Removes what is stored for the scope of this request, and ends all reads of that scope.
   * @throws DurableStorageError if the storage does not list its keys.
   */
  forget(): Promise<void> {
    return connect(clientOptions(this.#options), this.#memory).forget();
  }

  #begin(): DurableSession {
    this.release();
    this.#parser = bodyParser(this.#options.parse);
    this.#events = [];
    this.#parsed = 0;
    this.#failure = undefined;
    this.#isStopped = false;
    this.#abortCreate = undefined;
    this.#signal = undefined;
    this.#publish(EMPTY);
    this.#isHeld = true;
    this.#isRunning = true;
    const session = (this.#session = createSessionStore().acquire(ONLY, this.#start));
    session.subscribe(() => {
      if (session === this.#session) this.#onChange(session);
    });
    return session;
  }

  readonly #start: StartSession = async ({ signal, onResumption }) => {
    this.#signal = signal ?? undefined;
    const { url, method, headers, body, requestId, streamKey } = this.#options;
    const client = clientOptions(this.#options);
    const durableFetch = connect(client, this.#memory);
    const name = requestId ?? `fetch-${await requestKey(this.#options, this.#fallbackId)}`;
    this.#abortCreate = () =>
      durableFetch.abort(name).catch((error: unknown) => {
        // A server that knows no stop by key: the stop waits for the URL in the response.
        client.onWarning?.(error as Error);
        return false;
      });
    return durableFetch(url, {
      ...(method !== undefined && { method }),
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
      requestId: name,
      streamKey,
      resumeFrom: 'start',
      onResumption(resumption) {
        onResumption?.(resumption);
        client.onResumption?.(resumption);
      },
    });
  };

  /** A new state is shown at once, new text at the page's pace. */
  #onChange(session: DurableSession): void {
    const { resumption, isDone } = session.getSnapshot();
    if (isDone || resumption.status !== this.#snapshot.resumption.status) this.#flush(session);
    else this.#timer ??= setTimeout(() => this.#flush(session), this.#options.throttleMs);
  }

  #flush(session: DurableSession): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (session !== this.#session) return;
    const { text, resumption, response } = session.getSnapshot();
    const isAnswer = response?.ok === true;
    if (isAnswer && text.length > this.#parsed) {
      const fresh = text.slice(this.#parsed);
      this.#parsed = text.length;
      this.#parse(() => this.#parser.feed(fresh));
    }
    const { events } = this.#snapshot;
    this.#publish({
      text: isAnswer ? text : '',
      events: events.length === this.#events.length ? events : [...this.#events],
      resumption,
    });
  }

  /** What cannot be parsed is told at the end; the text is shown all the same. */
  #parse(parse: () => readonly unknown[]): void {
    if (this.#failure) return;
    try {
      for (const event of parse()) this.#events.push(event);
    } catch (error) {
      this.#failure = error as Error;
    }
  }

  #result(text: string): unknown {
    if (this.#failure) throw this.#failure;
    return this.#parser.result(text, this.#events);
  }

  #publish(snapshot: FetchSnapshot): void {
    this.#snapshot = snapshot;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Returns the options of the client, without those of the request and of the hook. */
function clientOptions({
  url: _url,
  method: _method,
  headers: _headers,
  body: _body,
  requestId: _requestId,
  streamKey: _streamKey,
  parse: _parse,
  throttleMs: _throttleMs,
  ...client
}: FetchSessionOptions): Omit<DurableFetchOptions, 'resumeFrom'> {
  return client;
}

function isAbortError(error: unknown): boolean {
  return (error as Error | undefined)?.name === 'AbortError';
}

/**
 * The name of a request that was given none. It is the browser's own: the same request of somebody else is
 * another answer, though the proxy may know both by the same secret.
 */
async function requestKey(
  { url, method, body, storage, storagePrefix }: FetchSessionOptions,
  fallbackId: string,
): Promise<string> {
  const name = `${storagePrefix ?? 'durable-proxy'}:browser`;
  let browser: string | null = null;
  try {
    const kept = storage ?? defaultStorage();
    browser = await kept.getItem(name);
    if (!browser) await kept.setItem(name, (browser = fallbackId));
  } catch {
    // Where nothing is kept, nothing is found again after a reload either.
  }
  browser ??= fallbackId;
  return digest(new TextEncoder().encode(JSON.stringify([browser, url, method, body])));
}
