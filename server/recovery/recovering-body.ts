import type { Readable } from 'node:stream';
import type { Logger } from '../shared/logger.ts';
import { UpstreamBody } from '../upstream/body.ts';
import { classifyBodyError, discardBody } from '../upstream/client.ts';
import { EventCutter } from './event-cutter.ts';
import { NewEvents } from './new-events.ts';
import type { Recovered, RecoveryCause, Resumed, Resumption } from './resumption.ts';
import type { StoredEvents, UpstreamRecovery } from './types.ts';

/** Events at the end of the log that are searched for the provider's end. An end may be followed by `[DONE]`. */
const LAST_EVENTS = 3;

export interface RecoveringBodyOptions {
  /** The body of the first response, or undefined if it belonged to a process that died. */
  readonly first: Readable | undefined;
  readonly recovery: UpstreamRecovery;
  readonly events: StoredEvents;
  readonly resumption: Resumption;
  /** Resolves when everything that was read from this body is stored. */
  readonly flushed: () => Promise<void>;
  /** Called with the first new event after a break. */
  readonly onRecovered: (recovered: Recovered) => void;
  /** Called instead of an error if the process that held the stream died, and nothing continues it. */
  readonly abandon: () => void;
  readonly logger: Logger;
}

interface Break {
  readonly cause: RecoveryCause;
  /** Undefined if the response ended cleanly. */
  readonly error: Error | undefined;
}

/**
 * Joins the responses of one stream to one body of whole server-sent events. After a break it asks the recovery for the
 * request that continues after the stored events. If that fails, the body ends as the broken response did. Destroying
 * the body ends everything, also a recovery in progress.
 */
export function recoveringBody(options: RecoveringBodyOptions): UpstreamBody {
  return new RecoveringBody(options).body;
}

class RecoveringBody {
  readonly body: UpstreamBody;
  readonly #options: RecoveringBodyOptions;
  readonly #stopped = new AbortController();
  #current: Readable | undefined;
  #cutter = new EventCutter();

  constructor(options: RecoveringBodyOptions) {
    this.#options = options;
    this.body = new UpstreamBody({
      resume: () => this.#current?.resume(),
      pause: () => this.#current?.pause(),
      cancel: () => {
        this.#stopped.abort(new Error('the body was discarded'));
        if (this.#current) discardBody(this.#current);
      },
    });
    this.#run().catch((error: unknown) => this.body.fail(error));
  }

  async #run(): Promise<void> {
    const { first, resumption } = this.#options;
    let broken: Break = first
      ? await this.#carry(first, (bytes) => this.#pass(bytes))
      : { cause: 'interrupted', error: new Error('the process that held the stream died') };
    for (;;) {
      if (this.#stopped.signal.aborted) return;
      if (this.#cutter.isOversized || (await this.#isOver(broken))) return this.#end(broken, true);
      resumption.broke(broken.cause);
      const resumed = await resumption.next(this.#stopped.signal);
      if (this.#stopped.signal.aborted) return;
      if (!resumed) return this.#end(broken, false);
      broken = await this.#carryOn(resumed);
    }
  }

  /** @param isOver true if nothing belongs after the break. */
  #end({ error, cause }: Break, isOver: boolean): void {
    if (cause === 'interrupted' && !isOver) return this.#options.abandon();
    if (error && (!isOver || this.#cutter.isOversized)) return this.body.fail(error);
    // The event at the end of a response that has no empty line.
    const rest = error ? undefined : this.#cutter.rest();
    if (rest && rest.length > 0) this.body.receive(rest);
    this.body.complete();
  }

  /** Returns true if a response ended where the provider's answer does. */
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
      logger.warn({ err }, 'could not read the end of a stream that broke');
    }
    return false;
  }

  /** Passes on the new events of a response that continues the stream. */
  #carryOn({ body, isRepeated }: Resumed): Promise<Break> {
    const { resumption, onRecovered } = this.#options;
    const fresh = new NewEvents(isRepeated);
    this.#cutter = fresh.cutter;
    // Comments and stored events keep a connection open, but do not continue the stream.
    const stop = () => body.destroy(new Error('the upstream sent no new event in time'));
    const limit = setTimeout(stop, resumption.remainingMs);
    const carried = this.#carry(body, (chunk) => {
      const wasFresh = fresh.hasBegun;
      const bytes = fresh.push(chunk);
      if (!wasFresh && fresh.hasBegun) {
        clearTimeout(limit);
        onRecovered(resumption.succeeded());
      }
      if (bytes.length > 0) this.body.receive(bytes);
    });
    return carried.finally(() => clearTimeout(limit));
  }

  #pass(bytes: Uint8Array): void {
    const whole = this.#cutter.push(bytes);
    if (whole.length > 0) this.body.receive(whole);
  }

  /** Reads a response until it ends or breaks. */
  #carry(body: Readable, onData: (chunk: Uint8Array) => void): Promise<Break> {
    this.#current = body;
    return new Promise((resolve) => {
      const fail = (error: Error) => resolve({ cause: classifyBodyError(error), error });
      const take = (chunk: Uint8Array): void => {
        try {
          onData(chunk);
        } catch (err) {
          // Thrown to the stream, it would end the process.
          const { recovery, logger } = this.#options;
          logger.error({ err }, `isRepeated() of the recovery "${recovery.name}" threw`);
          fail(err as Error);
          // A destroyed body still emits the chunks that it had read.
          discardBody(body.off('data', take));
        }
      };
      body
        .on('data', take)
        .on('end', () => resolve({ cause: 'truncated', error: undefined }))
        .on('error', fail)
        .on('close', () => fail(new Error('the connection closed before the body ended')));
      if (body.destroyed) fail(body.errored ?? new Error('the body was destroyed'));
    });
  }
}
