import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';
import type { Pump } from '../pump/pump.ts';
import type { OnEvent } from '../shared/events.ts';
import type { Logger } from '../shared/logger.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { recoveriesEntry, recoveriesOf } from '../store/metadata.ts';
import { StoreError, type Fence, type StreamEnd, type StreamStore } from '../store/types.ts';
import type { UpstreamAnswer } from '../upstream/client.ts';
import { sendCancel } from './cancellation.ts';
import { recoveringBody } from './recovering-body.ts';
import { Resumption, type Recovered } from './resumption.ts';
import type { Seal } from './seal.ts';
import { endedState, openState, requestOf, sealState, type RecoveryState } from './state.ts';
import { storedEvents } from './stored-events.ts';
import type { RecoverableExchange, RecoverableStream, RecoveryRequest, UpstreamRecovery } from './types.ts';

/** Milliseconds that a shutdown waits for requests that stop upstreams. */
const CANCEL_GRACE_MS = 2_000;

export interface RecoveriesOptions {
  /** The option `recovery`. */
  readonly recoveries: readonly UpstreamRecovery[];
  /** The option `recoveryTimeoutMs`. */
  readonly timeoutMs: number;
  /** The option `maxResponseBytes`. */
  readonly maxBytes: number;
  readonly seal: Seal;
  readonly store: StreamStore;
  /** Sends a request after the allowlist and `prepareUpstream`. Does not follow redirects. */
  readonly send: (request: CheckedRequest, signal: AbortSignal) => Promise<UpstreamAnswer>;
  readonly logger: Logger;
  readonly emit: OnEvent;
}

/** A request of a recovery, and whose stream it is for. */
export interface CheckedRequest {
  readonly purpose: 'resume' | 'cancel';
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
  readonly subject: string | undefined;
  readonly allow: readonly string[] | undefined;
}

/** A stream that can be continued: which recovery it has, and what that has to know. */
export interface Recoverable {
  readonly streamId: string;
  readonly recovery: UpstreamRecovery;
  readonly state: RecoveryState;
  /** How often it was continued before, in other processes. */
  readonly recoveries: number;
}

/** Continues and stops upstreams as the option `recovery` says. */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  readonly #closing = new AbortController();
  /** Requests that stop upstreams and have not been answered. */
  readonly #canceling = new Set<Promise<void>>();
  /** By stream: resolves when the request that stops it needs its log no more. */
  readonly #preparing = new Map<string, Promise<unknown>>();

  constructor(options: RecoveriesOptions) {
    this.#options = options;
    // Each request that stops an upstream listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Returns true if a recovery may match a response of this media type. */
  isFor(contentType: string | undefined): boolean {
    return this.#options.recoveries.length > 0 && /^text\/event-stream\b/i.test(contentType ?? '');
  }

  /** Finds the recovery of a response, if one matches. */
  match(
    streamId: string,
    exchange: RecoverableExchange,
    caller: Pick<RecoveryState, 'subject' | 'allow'>,
  ): Recoverable | undefined {
    const { recoveries, logger } = this.#options;
    const { request, response } = exchange;
    const recovery = recoveries.find((each) => {
      try {
        return each.matches(exchange);
      } catch (err) {
        logger.error({ err, streamId }, `matches() of the recovery "${each.name}" threw`);
        return false;
      }
    });
    if (!recovery) return undefined;
    response.headers.delete('set-cookie');
    const { url, method, headers } = request;
    const fields = { headers: [...headers], responseHeaders: [...response.headers] };
    const state = { recovery: recovery.name, url, method, ...fields, ...caller };
    return { streamId, recovery, state, recoveries: 0 };
  }

  /** Returns the metadata entries with which another process can continue the stream. */
  entries({ streamId, state }: Recoverable): Record<string, string> {
    return sealState(this.#options.seal, streamId, state);
  }

  /** Returns what is known of a stream that another process began, or undefined if it cannot be continued. */
  find(streamId: string, metadata: Readonly<Record<string, string>>): Recoverable | undefined {
    const state = openState(this.#options.seal, streamId, metadata);
    const recovery = state && this.#options.recoveries.find(({ name }) => name === state.recovery);
    return recovery && { streamId, recovery, state, recoveries: recoveriesOf(metadata) };
  }

  /**
   * Returns the body of a stream, which continues by itself after a break.
   * @param first the body of the upstream's response; undefined if that belonged to another process.
   */
  body(recoverable: Recoverable, first: Readable | undefined, pump: Pump): Readable {
    const { store, timeoutMs, maxBytes, logger } = this.#options;
    const { streamId, recovery } = recoverable;
    let { recoveries } = recoverable;
    return recoveringBody({
      first,
      recovery,
      events: storedEvents(store, streamId),
      flushed: () => pump.flushed(),
      resumption: new Resumption({
        timeoutMs,
        maxBytes,
        logger,
        resume: () => recovery.resume(this.#streamOf(recoverable)),
        send: (request, signal) => this.#send(recoverable, 'resume', request, signal),
      }),
      onRecovered: (recovered) => {
        recoveries += 1;
        const entries = recoveriesEntry(recoveries);
        store.annotate?.(streamId, entries, pump.fence).catch((err: unknown) => {
          logger.warn({ err, streamId }, 'could not store how often a stream was continued');
        });
        this.#onRecovered(recoverable, { ...recovered, adopted: first === undefined });
      },
      abandon: () => void pump.stop(INTERRUPTED),
      logger,
    });
  }

  /**
   * Replaces the state of a stream that is about to be closed by its end: if this process dies before the closing, another
   * one closes the stream so. Never rejects.
   * @param fence of this process, if it holds the stream.
   * @returns false if another process has adopted the stream, and decides about its end.
   */
  async forget(streamId: string, end: StreamEnd, fence?: Fence): Promise<boolean> {
    const { store, logger } = this.#options;
    try {
      await store.annotate?.(streamId, endedState(end), fence);
    } catch (err) {
      if (err instanceof StoreError && err.code === 'FENCED') return false;
      logger.warn({ err, streamId }, 'could not remove the request of a stream; it expires with the stream');
    }
    return true;
  }

  /** Stops the upstream of a stream that was ended from here, by abort, deletion or a limit. Never rejects. */
  stopped(recoverable: Recoverable, { outcome }: Pick<StreamEnd, 'outcome'>): void {
    if (outcome !== 'aborted' && outcome !== 'too-large') return;
    const { streamId, recovery } = recoverable;
    if (!recovery.cancel) return;
    const called = (async () => recovery.cancel!(this.#streamOf(recoverable)))();
    // An abort, a deletion and a shutdown wait for it.
    const request = inTime(called, CREATE_STORE_MS, `cancel() of the recovery "${recovery.name}"`);
    const preparing = request.catch(() => undefined).finally(() => this.#preparing.delete(streamId));
    this.#preparing.set(streamId, preparing);
    const canceling = this.#cancel(recoverable, request).finally(() => this.#canceling.delete(canceling));
    this.#canceling.add(canceling);
  }

  /** Resolves when the log of a stream that was stopped may be deleted. */
  async prepared(streamId: string): Promise<void> {
    await this.#preparing.get(streamId);
  }

  /** Waits a little for requests that stop upstreams, then ends them. */
  async close(): Promise<void> {
    const timer = setTimeout(() => this.#closing.abort(), CANCEL_GRACE_MS);
    await Promise.all(this.#canceling);
    clearTimeout(timer);
  }

  #onRecovered(
    { streamId, recovery, state: { subject } }: Recoverable,
    recovered: Recovered & { readonly adopted: boolean },
  ): void {
    const { logger, emit } = this.#options;
    emit({ type: 'recovered', streamId, subject, ...recovered });
    logger.info({ streamId, recovery: recovery.name, ...recovered }, 'continued a stream that broke');
  }

  async #cancel(recoverable: Recoverable, prepared: Promise<RecoveryRequest | null>): Promise<void> {
    const { streamId, state } = recoverable;
    const { logger, emit } = this.#options;
    let status: number | undefined;
    try {
      const request = await prepared;
      if (!request) return;
      const { signal } = this.#closing;
      status = await sendCancel(() => this.#send(recoverable, 'cancel', request, signal), signal);
    } catch (err) {
      logger.debug({ err, streamId }, 'a request that stops an upstream failed');
    }
    if (status !== undefined && status < 300) return;
    emit({ type: 'cancel-failed', streamId, subject: state.subject, status });
    const reason = status === undefined ? 'it did not respond' : `it responded ${status}`;
    logger.error({ streamId, status }, `could not stop the upstream of a stream that was stopped: ${reason}`);
  }

  #streamOf({ streamId, state }: Recoverable): RecoverableStream {
    return {
      request: requestOf(state),
      responseHeaders: new Headers(state.responseHeaders as [string, string][]),
      events: storedEvents(this.#options.store, streamId),
    };
  }

  #send(
    { state }: Recoverable,
    purpose: CheckedRequest['purpose'],
    { url, method, headers, body }: RecoveryRequest,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    return this.#options.send(
      {
        purpose,
        url: String(url),
        method: method ?? (purpose === 'resume' ? 'GET' : 'POST'),
        headers: headers === undefined ? requestOf(state).headers : new Headers(headers),
        body: typeof body === 'string' ? Buffer.from(body) : body,
        subject: state.subject,
        allow: state.allow,
      },
      signal,
    );
  }
}
