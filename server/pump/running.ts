import { setMaxListeners } from 'node:events';
import { ProxyError } from '../shared/errors.ts';
import { MAX_TIMER_MS } from '../shared/max-timer.ts';
import type { StreamEnd } from '../store/types.ts';
import type { Pump } from './pump.ts';
import { StartQueue } from './start-queue.ts';

export interface RunningLimits {
  readonly maxConcurrentStreams: number;
  readonly maxConcurrentStreamsPerSubject: number;
}

/** A create, from before its request body is read until its stream is closed. */
export interface Slot {
  /**
   * Counts the create among the running streams instead of the uploads. Idempotent.
   * @throws ProxyError `SHUTTING_DOWN` or `TOO_MANY_STREAMS`, both with Retry-After.
   */
  start(): void;
  /** Transfers the slot to the pump. It is released when the pump is done. */
  occupy(streamId: string, pump: Pump): void;
  /** Releases the slot if no stream was created. Idempotent. */
  release(): void;
}

/** Milliseconds that a shutdown waits for the store to close streams. */
const CLOSE_GRACE_MS = 5_000;

/** Seconds after which a rejected caller should retry (RFC 9110, section 10.2.3). */
const RETRY_AFTER_SECONDS = '2';

/** The running streams and creates of this process, for limits, aborts and shutdown. */
export class RunningStreams {
  /** Limits how many streams start at the same time. */
  readonly starts = new StartQueue();

  readonly #pumps = new Map<string, Pump>();
  /** Creates whose stream has no pump yet, by the id of their stream. */
  readonly #creates = new Map<string, AbortController>();
  readonly #streams: Count;
  readonly #uploads: Count;
  readonly #gaveUp = new AbortController();
  #closing = false;
  #onIdle: (() => void) | undefined;

  constructor(limits: RunningLimits) {
    this.#streams = new Count(limits);
    this.#uploads = new Count(limits);
    // While a store is unavailable, each stream that waits to be closed has a listener on this signal.
    setMaxListeners(0, this.#gaveUp.signal);
  }

  get size(): number {
    return this.#streams.total;
  }

  /** Aborts when a shutdown no longer waits for the store to close streams. */
  get gaveUp(): AbortSignal {
    return this.#gaveUp.signal;
  }

  get(streamId: string): Pump | undefined {
    return this.#pumps.get(streamId);
  }

  /** Returns true if this process creates or pumps the stream. */
  has(streamId: string): boolean {
    return this.#creates.has(streamId) || this.#pumps.has(streamId);
  }

  /** Cancels a create whose stream has no pump yet. @returns false if there is no such create. */
  cancel(streamId: string, reason: ProxyError): boolean {
    const create = this.#creates.get(streamId);
    create?.abort(reason);
    return create !== undefined;
  }

  /**
   * Takes a slot for an upload before the request body is read, so that the limits bound memory. Uploads count
   * separately from running streams: a repeated create must find its stream even if that stream took the last slot.
   * @param abortController aborted if the proxy closes or the create is canceled before the stream exists.
   * @throws ProxyError `SHUTTING_DOWN` or `TOO_MANY_STREAMS`, both with Retry-After.
   */
  take(subject: string | undefined, streamId: string, abortController: AbortController): Slot {
    if (this.#closing) throw shuttingDown();
    let giveBack = this.#uploads.take(subject);
    this.#creates.set(streamId, abortController);
    let started = false;
    let released = false;
    const start = (): void => {
      if (started || released) return;
      if (this.#closing) throw shuttingDown();
      const giveBackStream = this.#streams.take(subject);
      giveBack();
      started = true;
      giveBack = () => {
        giveBackStream();
        if (this.#streams.total === 0) this.#onIdle?.();
      };
    };
    const release = (): void => {
      if (released) return;
      released = true;
      this.#creates.delete(streamId);
      giveBack();
    };
    const occupy = (id: string, pump: Pump): void => {
      this.#creates.delete(id);
      this.#pumps.set(id, pump);
      void pump.done.then(() => {
        this.#pumps.delete(id);
        release();
      });
    };
    return { start, occupy, release };
  }

  /** Registers a stream that this process has adopted, regardless of limits: it was running already. */
  adopt(subject: string | undefined, streamId: string, pump: Pump): void {
    const giveBack = this.#streams.force(subject);
    this.#pumps.set(streamId, pump);
    void pump.done.then(() => {
      this.#pumps.delete(streamId);
      giveBack();
      if (this.#streams.total === 0) this.#onIdle?.();
    });
  }

  /**
   * Rejects new streams, releases streams that another process can continue, waits `drainMs` for the others, and
   * stops those that are still running with `end`.
   */
  async close(drainMs: number, end: StreamEnd): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#pumps.values()].map(async (pump) => pump.handOver?.()));
    await this.#idleWithin(drainMs);
    for (const create of this.#creates.values()) create.abort(shuttingDown());
    const timer = setTimeout(() => this.#gaveUp.abort(), CLOSE_GRACE_MS);
    await Promise.all([...this.#pumps.values()].map((pump) => pump.stop(end)));
    clearTimeout(timer);
  }

  get closing(): boolean {
    return this.#closing;
  }

  #idleWithin(ms: number): Promise<void> {
    if (this.#streams.total === 0 || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS));
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Counts streams or uploads, in total and per subject. */
class Count {
  readonly #limits: RunningLimits;
  readonly #bySubject = new Map<string, number>();
  total = 0;

  constructor(limits: RunningLimits) {
    this.#limits = limits;
  }

  /**
   * Takes a slot.
   * @returns a function that releases the slot, to be called once.
   */
  take(subject: string | undefined): () => void {
    const { maxConcurrentStreams, maxConcurrentStreamsPerSubject } = this.#limits;
    if (this.total >= maxConcurrentStreams) throw tooMany(maxConcurrentStreams, 'in total');
    const ofSubject = subject === undefined ? 0 : (this.#bySubject.get(subject) ?? 0);
    if (ofSubject >= maxConcurrentStreamsPerSubject)
      throw tooMany(maxConcurrentStreamsPerSubject, 'for one subject');
    return this.force(subject);
  }

  /** Takes a slot regardless of the limits. */
  force(subject: string | undefined): () => void {
    const ofSubject = subject === undefined ? 0 : (this.#bySubject.get(subject) ?? 0);
    this.total += 1;
    if (subject !== undefined) this.#bySubject.set(subject, ofSubject + 1);
    return () => {
      this.total -= 1;
      if (subject === undefined) return;
      const left = (this.#bySubject.get(subject) ?? 1) - 1;
      if (left > 0) this.#bySubject.set(subject, left);
      else this.#bySubject.delete(subject);
    };
  }
}

export function shuttingDown(): ProxyError {
  return new ProxyError('SHUTTING_DOWN', 'The proxy is shutting down and accepts no new streams. Try again', {
    headers: { 'Retry-After': '1' },
  });
}

function tooMany(limit: number, scope: string): ProxyError {
  return new ProxyError('TOO_MANY_STREAMS', `Too many running streams ${scope} (${limit}). Try again`, {
    headers: { 'Retry-After': RETRY_AFTER_SECONDS },
  });
}
