import type { ClientMemory } from '../core-client/client-memory.ts';
import { createClient } from '../core-client/durable-fetch.ts';
import { digest, randomId } from '../core-client/fingerprint.ts';
import { createSessionStore, type DurableSession, type StartSession } from '../core-client/session.ts';
import { IDLE } from '../core-client/state.ts';
import { defaultStorage } from '../core-client/storage.ts';
import { AnswerRequestError } from '../core-client/transports/errors.ts';
import type { DurableFetchOptions, Resumption } from '../core-client/types.ts';
import { bodyParser, type BodyParser, type ParseMode } from './parsers.ts';

/** A request and the options for reading its answer. */
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

/** The answer so far. Immutable: each change creates a new object. */
export interface FetchSnapshot {
  readonly text: string;
  readonly events: readonly unknown[];
  readonly resumption: Resumption;
}

export const EMPTY: FetchSnapshot = { text: '', events: [], resumption: IDLE };

/** Key of the single session in each session store of this module. */
const ONLY = '';

/**
 * One request and its live answer, shared by all components that show it. Adds parsing and throttling to the client's
 * session. Each `run` sends the request again, or resumes its unfinished answer.
 */
export class FetchSession {
  #options: FetchSessionOptions;
  readonly #memory: ClientMemory;
  #snapshot = EMPTY;
  readonly #listeners = new Set<() => void>();
  /** Session of the newest run. */
  #session: DurableSession | undefined;
  #isHeld = false;
  #isRunning = false;
  /** Aborts once no component shows the newest run. */
  #signal: AbortSignal | null | undefined;
  /** True once the newest run was stopped. */
  #isStopped = false;
  /** Stops the upstream before it has responded. Resolves with false if there is nothing to stop. */
  #abortCreate: (() => Promise<boolean>) | undefined;
  #parser: BodyParser = bodyParser('text');
  #events: unknown[] = [];
  #parsed = 0;
  #failure: Error | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Used as the browser's id if the storage cannot store one. */
  readonly #fallbackId = randomId();

  /** @param memory state that the clients of all runs share. */
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
    // Retaining a finished session would send another request.
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

  /** Options of the newest run, or of the next one. */
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
   * Sends the request, or resumes its unfinished answer. Resolves with the whole answer.
   *
   * @param onLeft called before the rejection if reading stopped because no component shows the answer. The answer
   * continues on the server.
   */
  async run(onLeft: () => void = () => undefined): Promise<unknown> {
    for (;;) {
      const session = this.#begin();
      const { text, response, error } = await session.done;
      const isNewest = session === this.#session;
      const wasLeft = isNewest && isAbortError(error) && !this.#isStopped && this.#signal?.aborted === true;
      // A component mounted after reading had stopped and before the session ended.
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
   * Stops the answer on the server, even before the upstream has responded. Does nothing if there is no answer.
   * @throws DurableNetworkError, DurableStreamError if the request to stop it failed.
   */
  async abort(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#isStopped = true;
    try {
      if (!session.getSnapshot().response && (await this.#abortCreate?.())) return;
      await session.abort();
    } catch (error) {
      // The stop came before the request was sent.
      if (isAbortError(error)) return;
      this.#isStopped = false;
      throw error;
    }
  }

  /** Stops reading the answer, unless a component shows it within a second. */
  release(): void {
    if (this.#isHeld) this.#session?.release();
    this.#isHeld = false;
  }

  /** Stops reading and clears the snapshot. The answer continues on the server. */
  clear(): void {
    this.release();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#session = this.#signal = undefined;
    this.#isRunning = false;
    this.#publish(EMPTY);
  }

  /**
   * Removes everything that is stored for the scope of this request, and ends all reads of that scope.
   * @throws DurableStorageError if the storage does not list its keys.
   */
  forget(): Promise<void> {
    return createClient(clientOptions(this.#options), this.#memory).forget();
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
    this.#signal = signal;
    const { url, method, headers, body, requestId, streamKey } = this.#options;
    const client = clientOptions(this.#options);
    const durableFetch = createClient(client, this.#memory);
    const name = requestId ?? `fetch-${await requestKey(this.#options, this.#fallbackId)}`;
    // `clear` was called, or a newer run has begun.
    if (this.#signal !== signal) throw new DOMException('The answer was cleared', 'AbortError');
    if (this.#isStopped) {
      onResumption?.({ ...IDLE, status: 'aborted', outcome: 'aborted' });
      throw new DOMException('The answer was stopped', 'AbortError');
    }
    this.#abortCreate = () =>
      durableFetch.abort(name).catch((error: unknown) => {
        // The server cannot abort by key, so the abort waits for the URL in the response.
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

  /** Publishes a new status at once, new text after `throttleMs`. */
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

  /** Keeps a parse error until the end, so that the text is shown nevertheless. */
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
 * Returns the default `requestId`. It contains an id of this browser, because the same request of another user must get
 * another answer, even if both use the proxy with the same credentials.
 */
async function requestKey(
  { url, method, body, storage, storagePrefix }: FetchSessionOptions,
  fallbackId: string,
): Promise<string> {
  const name = `${storagePrefix ?? 'durable-proxy'}:browser`;
  let browser: string | null = null;
  try {
    const store = storage ?? defaultStorage();
    browser = await store.getItem(name);
    if (!browser) await store.setItem(name, (browser = fallbackId));
  } catch {
    // Without a storage, a reload cannot resume the answer anyway.
  }
  browser ??= fallbackId;
  return digest(new TextEncoder().encode(JSON.stringify([browser, url, method, body])));
}
