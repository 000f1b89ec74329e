import type { Readable } from 'node:stream';
import type { Logger } from '../shared/logger.ts';
import { sourceOf, type Sink, type Source } from '../pump/source.ts';
import { classifyBodyError } from '../upstream/client.ts';
import { EventCutter } from './event-cutter.ts';
import { NewEvents } from './new-events.ts';
import type { Recovered, RecoveryCause, Resumed, Resumption } from './resumption.ts';
import type { StoredEvents, UpstreamRecovery } from './types.ts';

/** Events at the end of the log that are searched for the provider's end. An end may be followed by `[DONE]`. */
const LAST_EVENTS = 3;

export interface RecoveringSourceOptions {
  /** The body of the first response, or undefined if it belonged to a process that died. */
  readonly first: Readable | undefined;
  readonly recovery: UpstreamRecovery;
  readonly events: StoredEvents;
  readonly resumption: Resumption;
  /** Resolves when everything that this source has delivered is stored. */
  readonly flushed: () => Promise<void>;
  /** Called with the first new event after a break. */
  readonly onRecovered: (recovered: Recovered) => void;
  /** Called instead of an error if the process that ran the stream died, and the recovery cannot continue it. */
  readonly abandon: () => void;
  readonly logger: Logger;
}

interface Break {
  readonly cause: RecoveryCause;
  /** Undefined if the response ended cleanly. */
  readonly error: Error | undefined;
}

/**
 * Joins the responses of one stream to one source of complete server-sent events. When a response breaks, the
 * recovery provides the request that continues after the stored events. If that fails, the source ends as the broken
 * response did. Discarding the source also ends a recovery in progress.
 */
export function recoveringSource(options: RecoveringSourceOptions): Source {
  return new RecoveringSource(options);
}

class RecoveringSource implements Source {
  readonly #options: RecoveringSourceOptions;
  readonly #stopped = new AbortController();
  #current: Source | undefined;
  #cutter = new EventCutter();
  #isPaused = false;

  constructor(options: RecoveringSourceOptions) {
    this.#options = options;
  }

  deliverTo(sink: Sink): void {
    this.#run(sink).catch((error: unknown) => sink.failed(error as Error));
  }

  pause(): void {
    this.#isPaused = true;
    this.#current?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#current?.resume();
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get isBehind(): boolean {
    return this.#current?.isBehind ?? false;
  }

  drain(): void {
    this.#current?.drain();
  }

  discard(): void {
    this.#stopped.abort(new Error('the source was discarded'));
    this.#current?.discard();
  }

  async #run(sink: Sink): Promise<void> {
    const { first, resumption } = this.#options;
    let broken: Break = first
      ? await this.#readResponse(sourceOf(first), (bytes) => this.#deliverWhole(bytes, sink))
      : { cause: 'interrupted', error: new Error('the process that ran the stream died') };
    for (;;) {
      if (this.#stopped.signal.aborted) return;
      if (this.#cutter.isOversized || (await this.#isOver(broken))) return this.#end(sink, broken, true);
      resumption.broke(broken.cause);
      const resumed = await resumption.next(this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      if (!resumed) return this.#end(sink, broken, false);
      broken = await this.#readResumed(resumed, sink);
    }
  }

  /** @param isOver true if no event is missing after the break. */
  #end(sink: Sink, { error, cause }: Break, isOver: boolean): void {
    if (cause === 'interrupted' && !isOver) return this.#options.abandon();
    if (error && (!isOver || this.#cutter.isOversized)) return sink.failed(error);
    // The last event of a response may lack its empty line.
    const rest = error ? undefined : this.#cutter.rest();
    if (rest && rest.length > 0) sink.data(rest);
    sink.ended();
  }

  /** Returns true if the response ended at the end of the provider's answer. */
  async #isOver({ error, cause }: Break): Promise<boolean> {
    const { recovery, events, flushed, logger } = this.#options;
    if (cause !== 'interrupted') await flushed();
    if (!recovery.isEnd) return !error;
    let count = 0;
    try {
      for await (const event of events.fromEnd()) {
        if (recovery.isEnd(event)) return true;
        count += 1;
        if (count === LAST_EVENTS) break;
      }
    } catch (err) {
      logger.warn({ err }, 'could not read the last events of a stream whose upstream broke');
    }
    return false;
  }

  /** Forwards the new events of a response that continues the stream. */
  #readResumed({ body, isRepeated }: Resumed, sink: Sink): Promise<Break> {
    const { resumption, onRecovered } = this.#options;
    const fresh = new NewEvents(isRepeated);
    this.#cutter = fresh.cutter;
    // Comments and stored events keep a connection open, but do not continue the stream.
    const source = sourceOf(body);
    const limit = setTimeout(() => source.discard(), resumption.remainingMs);
    const reading = this.#readResponse(source, (chunk) => {
      const wasFresh = fresh.hasBegun;
      const bytes = fresh.push(chunk);
      if (!wasFresh && fresh.hasBegun) {
        clearTimeout(limit);
        onRecovered(resumption.succeeded());
      }
      if (bytes.length > 0) sink.data(bytes);
    });
    return reading.finally(() => clearTimeout(limit));
  }

  #deliverWhole(bytes: Uint8Array, sink: Sink): void {
    const whole = this.#cutter.push(bytes);
    if (whole.length > 0) sink.data(whole);
  }

  /** Reads a response until it ends or breaks. */
  #readResponse(source: Source, onData: (chunk: Uint8Array) => void): Promise<Break> {
    this.#current = source;
    return new Promise((resolve) => {
      const failed = (error: Error) => resolve({ cause: classifyBodyError(error), error });
      const data = (chunk: Uint8Array): void => {
        try {
          onData(chunk);
        } catch (err) {
          // If this exception reached the stream, it would end the process.
          const { recovery, logger } = this.#options;
          logger.error({ err }, `isRepeated() of the recovery "${recovery.name}" threw`);
          failed(err as Error);
          source.discard();
        }
      };
      source.deliverTo({
        data,
        ended: () => resolve({ cause: 'truncated', error: undefined }),
        failed,
      });
      if (this.#isPaused) source.pause();
    });
  }
}
