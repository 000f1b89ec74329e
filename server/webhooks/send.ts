import { Agent, request, type Dispatcher } from 'undici/index.js';
import { forwardAgent, type ForwardProxies } from '../upstream/forward-proxy.ts';

/**
 * Milliseconds for one attempt, until the response's headers have arrived. Less than `TAKEN_MS`: otherwise the next
 * attempt begins before this one has failed, and the delays between attempts have no effect.
 */
export const ATTEMPT_MS = 10_000;

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends webhooks. The operator chose their URL, so it may have a private address. */
export class WebhookSender {
  readonly #agent: Dispatcher;
  readonly #closing = new AbortController();

  /** @param proxies forward proxies for requests to the receiver. */
  constructor(proxies: ForwardProxies | undefined) {
    const connect = { timeout: ATTEMPT_MS };
    this.#agent = proxies
      ? forwardAgent({ proxies, connect, timeoutMs: ATTEMPT_MS, guard: undefined, agent: {} })
      : new Agent({ connect });
  }

  /**
   * Sends one attempt and returns the status of its response, whose body is ignored. Redirects are not followed.
   * @throws an error if there is no response within 10 s, or after `close`.
   */
  async send({ url, headers, body }: WebhookRequest): Promise<number> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ATTEMPT_MS)]);
    const response = await request(url, {
      method: 'POST',
      dispatcher: this.#agent,
      headers: { ...headers, 'content-type': 'application/json' },
      body,
      signal,
    });
    response.body.on('error', () => undefined).destroy();
    return response.statusCode;
  }

  /** Cancels attempts in progress and closes connections. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#agent.destroy();
  }
}
