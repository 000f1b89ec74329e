import { setMaxListeners } from 'node:events';
import type { Readable } from 'node:stream';
import type { Pump } from '../pump/pump.ts';
import type { Source } from '../pump/source.ts';
import type { OnEvent } from '../shared/events.ts';
import type { Logger } from '../shared/logger.ts';
import { CREATE_STORE_MS, inTime } from '../store/bounded.ts';
import { INTERRUPTED } from '../store/interrupted.ts';
import { recoveriesEntry, recoveriesOf } from '../store/metadata.ts';
import { isStoreError } from '../store/is-store-error.ts';
import type { Fence, StreamEnd, StreamStore } from '../store/types.ts';
import type { UpstreamResponse } from '../upstream/client.ts';
import { sendCancel } from './cancellation.ts';
import { recoveringSource } from './recovering-source.ts';
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
  readonly send: (request: CheckedRequest, signal: AbortSignal) => Promise<UpstreamResponse>;
  readonly logger: Logger;
  readonly emit: OnEvent;
}

/** A request of a recovery, with the subject and the allowlist of the stream's create. */
export interface CheckedRequest {
  readonly purpose: 'resume' | 'cancel';
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
  readonly subject: string | undefined;
  readonly allow: readonly string[] | undefined;
}

/** A create and the head of the upstream's 2xx response. */
export interface AnsweredRequest extends Pick<
  RecoveryState,
  'url' | 'method' | 'headers' | 'responseHeaders'
> {
  /** Body of the create. */
  readonly body: Uint8Array | undefined;
  /** Status of the response. */
  readonly status: number;
}

/** A stream that can be continued, with its recovery and the state that the recovery needs. */
export interface Recoverable {
  readonly streamId: string;
  readonly recovery: UpstreamRecovery;
  readonly state: RecoveryState;
  /** Number of times that other processes have continued the stream. */
  readonly recoveries: number;
}

/** Continues and stops upstreams according to the option `recovery`. */
export class Recoveries {
  readonly #options: RecoveriesOptions;
  readonly #closing = new AbortController();
  /** Requests that stop upstreams and have not been answered. */
  readonly #canceling = new Set<Promise<void>>();
  /**
   * By stream id: resolves when the request that stops the upstream has been prepared, so that the stream may be
   * deleted.
   */
  readonly #preparing = new Map<string, Promise<unknown>>();

  constructor(options: RecoveriesOptions) {
    this.#options = options;
    // Each request that stops an upstream has a listener on this signal.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Returns true if a recovery may match a response of this media type. */
  isFor(contentType: string | undefined): boolean {
    return this.#options.recoveries.length > 0 && /^text\/event-stream\b/i.test(contentType ?? '');
  }

  /** Finds the recovery of a response, if one matches. */
  match(
    streamId: string,
    { body, status, ...known }: AnsweredRequest,
    caller: Pick<RecoveryState, 'subject' | 'allow'>,
  ): Recoverable | undefined {
    const { recoveries, logger } = this.#options;
    const { url, method, headers, responseHeaders } = known;
    // Few recoveries read the headers, so `Headers`, which is expensive for a create, is created on demand.
    const exchange: RecoverableExchange = {
      request: {
        ...{ url, method, body },
        get headers() {
          return new Headers(headers as [string, string][]);
        },
      },
      response: {
        status,
        get headers() {
          return new Headers(responseHeaders as [string, string][]);
        },
      },
    };
    const recovery = recoveries.find((each) => {
      try {
        return each.matches(exchange);
      } catch (err) {
        logger.error({ err, streamId }, `matches() of the recovery "${each.name}" threw`);
        return false;
      }
    });
    if (!recovery) return undefined;
    const kept = responseHeaders.filter(([name]) => name !== 'set-cookie');
    const state = { recovery: recovery.name, ...known, responseHeaders: kept, ...caller };
    return { streamId, recovery, state, recoveries: 0 };
  }

  /** Returns the metadata entries from which another process can continue the stream. */
  entries({ streamId, state }: Recoverable): Record<string, string> {
    return sealState(this.#options.seal, streamId, state);
  }

  /**
   * Returns the recovery and the state of a stream that another process began, or undefined if it cannot be
   * continued.
   */
  find(streamId: string, metadata: Readonly<Record<string, string>>): Recoverable | undefined {
    const state = openState(this.#options.seal, streamId, metadata);
    const recovery = state && this.#options.recoveries.find(({ name }) => name === state.recovery);
    return recovery && { streamId, recovery, state, recoveries: recoveriesOf(metadata) };
  }

  /**
   * Returns a source of the stream's bytes that continues by itself after the upstream breaks.
   * @param first the body of the upstream's response; undefined if that belonged to another process.
   */
  source(recoverable: Recoverable, first: Readable | undefined, pump: Pump): Source {
    const { store, timeoutMs, maxBytes, logger } = this.#options;
    const { streamId, recovery } = recoverable;
    let { recoveries } = recoverable;
    return recoveringSource({
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
   * Replaces the recovery state of a stream that is about to be closed with the end of the stream: if this process
   * dies before it closes the stream, another one closes it with this end. Never rejects.
   * @param fence fence of this process, if it writes the stream.
   * @returns false if another process has adopted the stream, and decides about its end.
   */
  async storeEnd(streamId: string, end: StreamEnd, fence?: Fence): Promise<boolean> {
    const { store, logger } = this.#options;
    try {
      await store.annotate?.(streamId, endedState(end), fence);
    } catch (err) {
      if (isStoreError(err, 'FENCED')) return false;
      logger.warn({ err, streamId }, 'could not remove the request of a stream; it expires with the stream');
    }
    return true;
  }

  /**
   * Stops the upstream of a stream that this process ended because of an abort, a deletion or a limit. Never rejects.
   */
  cancelUpstream(recoverable: Recoverable, { outcome }: Pick<StreamEnd, 'outcome'>): void {
    if (outcome !== 'aborted' && outcome !== 'too-large') return;
    const { streamId, recovery } = recoverable;
    if (!recovery.cancel) return;
    const called = (async () => recovery.cancel!(this.#streamOf(recoverable)))();
    // An abort, a deletion and a shutdown wait for this.
    const request = inTime(called, CREATE_STORE_MS, `cancel() of the recovery "${recovery.name}"`);
    const preparing = request.catch(() => undefined).finally(() => this.#preparing.delete(streamId));
    this.#preparing.set(streamId, preparing);
    const canceling = this.#cancel(recoverable, request).finally(() => this.#canceling.delete(canceling));
    this.#canceling.add(canceling);
  }

  /** Resolves when a stream that was stopped may be deleted. */
  async prepared(streamId: string): Promise<void> {
    await this.#preparing.get(streamId);
  }

  /** Waits up to 2 s for requests that stop upstreams, then aborts them. */
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
    logger.info(
      { streamId, recovery: recovery.name, ...recovered },
      'continued a stream whose upstream broke',
    );
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
  ): Promise<UpstreamResponse> {
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
