import { signQuery } from '../auth/signed-url.ts';
import type { Keyring } from '../auth/keyring.ts';
import type { Outbox, TakenTask } from '../coordination/types.ts';
import type { OnEvent } from '../shared/events.ts';
import type { Logger } from '../shared/logger.ts';
import { retry, type Pauses } from '../shared/retry.ts';
import type { ForwardProxies } from '../upstream/forward-proxy.ts';
import { inTime } from '../store/bounded.ts';
import type { ByteStore, StreamEnd, StreamInfo, StreamInit } from '../store/types.ts';
import { SCOPE_READ } from '../../protocol/query.ts';
import { webhookBody } from './body.ts';
import { retryDelayMs } from './schedule.ts';
import { WebhookSender } from './send.ts';
import { webhookHeaders, webhookKey } from './signature.ts';
import type { WebhookOptions } from './options.ts';
import { decodeTask, encodeTask, originOf, type ClosedTask } from './task.ts';

/** Milliseconds between two checks of the outbox, which has tasks of all processes and retries. */
const CHECK_MS = 1_000;
/** Milliseconds within which a stream is usually closed, before its webhook is sent. */
const CLOSING_MS = 500;
/** Milliseconds until a task is taken again if its stream is still open, or if this version does not know the task. */
const AGAIN_MS = 5_000;
/** Milliseconds between attempts to store a webhook. */
const ANNOUNCE_PAUSES: Pauses = [250, 30_000];
/** Milliseconds that a shutdown waits until the tasks of canceled webhooks are returned. */
const STOP_MS = 2_000;
/** Maximum number of webhooks that a process sends at the same time. */
const MAX_SENDING = 8;

export interface WebhooksOptions extends WebhookOptions {
  readonly outbox: Outbox;
  readonly store: Pick<ByteStore, 'head' | 'positionOf'>;
  readonly keyring: Keyring;
  readonly options: { readonly urlExpirationSeconds: number; readonly logger: Logger };
  readonly proxies?: ForwardProxies | undefined;
  readonly emit: OnEvent;
}

/** Reason in the event of a webhook that is not sent because of an earlier 410. */
const DISABLED = 'disabled by 410';

/** A stream that is about to be closed. */
export interface Closing {
  readonly streamId: string;
  readonly metadata: StreamInit['metadata'];
  readonly end: StreamEnd;
  /** Bytes of the response, if this process knows them. */
  readonly bytes: number | null;
}

/**
 * Sends a webhook for every closing, at least once. The task is stored before the stream is closed, so that
 * every closing has one. One of the live processes takes the task, sends it, and retries until the receiver responds 2xx.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #key: Buffer;
  readonly #sender: WebhookSender;
  #timer: NodeJS.Timeout | undefined;
  /** Takes and deliveries in progress. */
  #sending = 0;
  readonly #deliveries = new Set<Promise<void>>();
  #isStopped = false;
  /** The receiver responded 410 Gone: it wants no more messages (Standard Webhooks 1.0, "Deliverability"). */
  #isDisabled = false;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#key = webhookKey(options.secret);
    this.#sender = new WebhookSender(options.proxies);
  }

  start(): void {
    this.#timer = setInterval(() => void this.#takeTasks(), CHECK_MS).unref();
  }

  /** Cancels the requests in progress and returns their tasks to the outbox. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#sender.close();
    await inTime(Promise.all(this.#deliveries), STOP_MS).catch(() => undefined);
  }

  /**
   * Stores the webhook of a stream that is about to close.
   * @throws StoreError if the outbox fails. The caller has to retry.
   */
  async announce({ streamId, metadata, end, bytes }: Closing): Promise<void> {
    const origin = originOf(metadata);
    if (!origin) return;
    const closedAt = Date.now();
    const { outcome, error } = end;
    const payload = encodeTask({ streamId, closedAt, bytes, outcome, error, origin });
    await this.#options.outbox.add({ id: `webhook-${streamId}`, payload, delayMs: CLOSING_MS });
  }

  /** Stores the webhook as `announce` does. If the outbox fails, tries again until `giveUp` aborts. Never rejects. */
  async announceUntil(closing: Closing, giveUp: AbortSignal): Promise<void> {
    const { logger } = this.#options.options;
    const { streamId } = closing;
    const onFailure = (err: unknown) => logger.warn({ err, streamId }, 'could not store a webhook');
    await retry(() => this.announce(closing), { pauses: ANNOUNCE_PAUSES, signal: giveUp, onFailure }).catch(
      onFailure,
    );
  }

  async #takeTasks(): Promise<void> {
    while (!this.#isStopped && this.#sending < MAX_SENDING) {
      this.#sending += 1;
      let taken: TakenTask | undefined;
      try {
        taken = await this.#options.outbox.take();
      } catch (err) {
        this.#options.options.logger.warn({ err }, 'could not read the outbox of webhooks');
      }
      if (!taken) {
        this.#sending -= 1;
        return;
      }
      const delivery = this.#deliver(taken)
        .catch((err: unknown) => this.#options.options.logger.warn({ err }, 'could not update a webhook'))
        .finally(() => {
          this.#sending -= 1;
          this.#deliveries.delete(delivery);
        });
      this.#deliveries.add(delivery);
    }
  }

  async #deliver(taken: TakenTask): Promise<void> {
    const task = decodeTask(taken.payload);
    if (!task) return void (await taken.postpone(AGAIN_MS));
    let info: StreamInfo | undefined;
    try {
      info = await this.#options.store.head(task.streamId);
    } catch (err) {
      // Nothing was sent, so this is not one of the attempts.
      await taken.postpone(AGAIN_MS);
      throw err;
    }
    // Its process died before it closed the stream. Another process closes or continues the stream.
    if (info && !info.end) return void (await taken.postpone(AGAIN_MS));
    // The task was stored before the last bytes, which may have been lost since.
    const bytes = (info && this.#options.store.positionOf?.(info.tail)) ?? task.bytes;
    const begunAt = performance.now();
    const result = this.#isDisabled
      ? DISABLED
      : await this.#send(task, webhookBody({ ...task, bytes }, info, this.#readUrl(task)));
    // Canceled by `stop`: another process sends the webhook, or this one after a restart.
    if (this.#isStopped && typeof result !== 'number') return void (await taken.postpone(0));
    const durationMs = performance.now() - begunAt;
    const { streamId, origin } = task;
    const about = { streamId, subject: origin.subject, attempts: taken.attempts };
    if (typeof result === 'number' && result >= 200 && result < 300) {
      this.#options.emit({ type: 'webhook-delivered', ...about, durationMs, status: result });
      return void (await taken.done());
    }
    this.#isDisabled ||= result === 410;
    const delayMs = this.#isDisabled ? undefined : retryDelayMs(taken.attempts);
    const reason = typeof result === 'number' ? `status ${result}` : result;
    this.#options.emit({
      type: 'webhook-failed',
      ...about,
      durationMs,
      reason,
      willRetry: delayMs !== undefined,
    });
    this.#options.options.logger.warn({ ...about, reason, retryInMs: delayMs }, 'a webhook was not accepted');
    if (delayMs === undefined) await taken.done();
    else await taken.retry(delayMs);
  }

  /** Returns the status, or the reason why there is none. */
  async #send(task: ClosedTask, body: string): Promise<number | string> {
    const { url, headers } = this.#options;
    const timestamp = Math.floor(Date.now() / 1_000);
    const signed = webhookHeaders(this.#key, { id: task.streamId, timestamp, body });
    try {
      return await this.#sender.send({ url, headers: { ...headers, ...signed }, body });
    } catch (error) {
      const { code, name } = error as { code?: unknown; name: string };
      // The code of a DOMException, such as a timeout, is a number.
      return typeof code === 'string' ? code : name;
    }
  }

  #readUrl({ streamId, origin }: ClosedTask): string {
    const { keyring, options } = this.#options;
    const expiresAt = Math.floor(Date.now() / 1_000) + options.urlExpirationSeconds;
    return `${origin.base}/${streamId}?${signQuery(keyring, streamId, expiresAt, SCOPE_READ)}`;
  }
}
