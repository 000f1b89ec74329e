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
 * One request, asked as often as it is wanted, and its live answer for all components that show it: the
 * client's session, parsed, at the pace of a page.
 */
export class FetchSession {
  #options: FetchSessionOptions;
  readonly #memory: ClientMemory;
  #snapshot = EMPTY;
  readonly #listeners = new Set<() => void>();
  #store = createSessionStore();
  #session: DurableSession | undefined;
  #isHeld = false;
  #parser: BodyParser = bodyParser('text');
  #events: unknown[] = [];
  #parsed = 0;
  #failure: Error | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param memory what the clients of all runs share. */
  constructor(options: FetchSessionOptions, memory: ClientMemory) {
    this.#options = options;
    this.#memory = memory;
  }

  /** For the next run. */
  update(options: FetchSessionOptions): void {
    this.#options = options;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#session && !this.#isHeld) this.#hold(this.#start);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.release();
    };
  };

  readonly getSnapshot = (): FetchSnapshot => this.#snapshot;

  get isShown(): boolean {
    return this.#listeners.size > 0;
  }

  /**
   * Asks, or takes up what was asked before; gives the whole answer. Rejects with an AbortError when nobody
   * showed it for a while: the answer goes on without us.
   */
  async run(): Promise<unknown> {
    this.release();
    this.#store = createSessionStore();
    this.#parser = bodyParser(this.#options.parse);
    this.#events = [];
    this.#parsed = 0;
    this.#failure = undefined;
    this.#publish(EMPTY);
    const session = this.#hold(this.#start);
    session.subscribe(() => {
      if (session === this.#session) this.#onChange(session);
    });
    const { text, response, error } = await session.done;
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

  /** Stops the answer on the server; does nothing when there is none. Rejects when it could not be told. */
  async abort(): Promise<void> {
    await this.#session?.abort();
  }

  /** Lets go of the answer, unless somebody takes hold of it soon. */
  release(): void {
    if (this.#isHeld) this.#session?.release();
    this.#isHeld = false;
  }

  #hold(start: StartSession): DurableSession {
    this.#isHeld = true;
    return (this.#session = this.#store.acquire(ONLY, start));
  }

  readonly #start: StartSession = async ({ signal, onResumption }) => {
    const { url, method, headers, body, requestId, streamKey, ...rest } = this.#options;
    const { parse: _parse, throttleMs: _throttleMs, ...client } = rest;
    return connect(client, this.#memory)(url, {
      ...(method !== undefined && { method }),
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
      requestId: requestId ?? `fetch-${await requestKey(this.#options)}`,
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

/**
 * The name of a request that was given none. It is the browser's own: the same request of somebody else is
 * another answer, though the proxy may know both by the same secret.
 */
async function requestKey({
  url,
  method,
  body,
  storage,
  storagePrefix,
}: FetchSessionOptions): Promise<string> {
  const name = `${storagePrefix ?? 'durable-proxy'}:browser`;
  let browser: string | null = null;
  try {
    const kept = storage ?? defaultStorage();
    browser = await kept.getItem(name);
    if (!browser) await kept.setItem(name, (browser = randomId()));
  } catch {
    // Where nothing is kept, nothing is found again either.
  }
  browser ??= randomId();
  return digest(new TextEncoder().encode(JSON.stringify([browser, url, method, body])));
}
