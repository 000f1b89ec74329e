import { ProxyError } from '../errors.ts';
import type { StreamEnd } from '../store/types.ts';
import type { Pump } from './pump.ts';
import { Turns } from './turns.ts';

export interface RunningLimits {
  readonly maxConcurrentStreams: number;
  readonly maxConcurrentStreamsPerSubject: number;
}

/** A place among the answers in flight, from before the upstream is called until its stream is closed. */
export interface Slot {
  /** From now on the slot is the pump's, and is given back when that is done. */
  occupy(streamId: string, pump: Pump): void;
  /** Gives the slot back when nothing came of it. Idempotent. */
  release(): void;
}

/** How long a shutdown waits for closings that a store does not take. */
const CLOSE_GRACE_MS = 5_000;

/** Seconds after which a caller over a limit may try again (RFC 9110, section 10.2.3). */
const RETRY_AFTER_SECONDS = '2';

/** The answers in flight in this process: what limits count, what an abort looks up, what a shutdown waits for. */
export class RunningStreams {
  /** When a new one may begin. */
  readonly turns = new Turns();

  readonly #limits: RunningLimits;
  readonly #pumps = new Map<string, Pump>();
  readonly #waiting = new Set<AbortController>();
  readonly #bySubject = new Map<string, number>();
  readonly #gone = new AbortController();
  #total = 0;
  #closing = false;
  #onIdle: (() => void) | undefined;

  constructor(limits: RunningLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#total;
  }

  /** Aborts when this process stops looking after its streams. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get(streamId: string): Pump | undefined {
    return this.#pumps.get(streamId);
  }

  /**
   * @param waiting is aborted when the proxy closes while the upstream is waited for.
   * @throws ProxyError `SHUTTING_DOWN` or `TOO_MANY_STREAMS`, both with Retry-After.
   */
  take(subject: string | undefined, waiting: AbortController): Slot {
    if (this.#closing) throw shuttingDown();
    const { maxConcurrentStreams, maxConcurrentStreamsPerSubject } = this.#limits;
    if (this.#total >= maxConcurrentStreams) throw tooMany(maxConcurrentStreams, 'in all');
    const ofSubject = subject === undefined ? 0 : (this.#bySubject.get(subject) ?? 0);
    if (ofSubject >= maxConcurrentStreamsPerSubject)
      throw tooMany(maxConcurrentStreamsPerSubject, 'for one subject');
    this.#total += 1;
    if (subject !== undefined) this.#bySubject.set(subject, ofSubject + 1);
    this.#waiting.add(waiting);
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      this.#waiting.delete(waiting);
      this.#giveBack(subject);
    };
    const occupy = (streamId: string, pump: Pump): void => {
      this.#waiting.delete(waiting);
      this.#pumps.set(streamId, pump);
      void pump.done.then(() => {
        this.#pumps.delete(streamId);
        release();
      });
    };
    return { occupy, release };
  }

  /** Takes nothing new, waits for what runs, and stops with this end what still runs after `drainMs`. */
  async close(drainMs: number, end: StreamEnd): Promise<void> {
    this.#closing = true;
    await this.#idleWithin(drainMs);
    for (const waiting of this.#waiting) waiting.abort(shuttingDown());
    const timer = setTimeout(() => this.#gone.abort(), CLOSE_GRACE_MS);
    await Promise.all([...this.#pumps.values()].map((pump) => pump.stop(end)));
    clearTimeout(timer);
  }

  get closing(): boolean {
    return this.#closing;
  }

  #idleWithin(ms: number): Promise<void> {
    if (this.#total === 0 || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #giveBack(subject: string | undefined): void {
    this.#total -= 1;
    if (subject !== undefined) {
      const left = (this.#bySubject.get(subject) ?? 1) - 1;
      if (left > 0) this.#bySubject.set(subject, left);
      else this.#bySubject.delete(subject);
    }
    if (this.#total === 0) this.#onIdle?.();
  }
}

export function shuttingDown(): ProxyError {
  return new ProxyError('SHUTTING_DOWN', 'This proxy is shutting down and takes no new streams; try again', {
    headers: { 'Retry-After': '1' },
  });
}

function tooMany(limit: number, scope: string): ProxyError {
  return new ProxyError(
    'TOO_MANY_STREAMS',
    `There are ${limit} answers in flight ${scope} already; try again`,
    {
      headers: { 'Retry-After': RETRY_AFTER_SECONDS },
    },
  );
}
