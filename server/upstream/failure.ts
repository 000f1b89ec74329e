import { PREFERENCE_APPLIED, PREFER_UPSTREAM_STATUS, UPSTREAM_STATUS } from '../../protocol/headers.ts';
import { ProxyError } from '../shared/errors.ts';

/**
 * Statuses that are about one connection and that browsers act on by themselves: Chromium repeats a request
 * after 408, 421 and 425, and fails one with 407 (RFC 9110, sections 15.5.8, 15.5.9, 15.5.20; RFC 8470).
 */
const OF_ONE_CONNECTION: ReadonlySet<number> = new Set([407, 408, 421, 425]);

/** An upstream's 4xx or 5xx, passed to the caller unchanged, by default as a 502 with `Upstream-Status`. */
export class UpstreamFailure extends ProxyError {
  override readonly name = 'UpstreamFailure';
  override readonly body: Buffer;
  readonly #upstreamStatus: number;
  readonly #status: number;

  constructor(upstreamStatus: number, headers: Record<string, string>, body: Buffer, status = 502) {
    super('UPSTREAM_ERROR', `The upstream responded ${upstreamStatus}`, {
      headers: { ...headers, [UPSTREAM_STATUS]: String(upstreamStatus) },
    });
    this.body = body;
    this.#upstreamStatus = upstreamStatus;
    this.#status = status;
  }

  override get status(): number {
    return this.#status;
  }

  /**
   * Returns the same failure with the upstream's own status, as `Prefer: upstream-status` requests. Returns it
   * unchanged if the status is about one connection or not an HTTP error.
   */
  withUpstreamStatus(): UpstreamFailure {
    const status = this.#upstreamStatus;
    if (OF_ONE_CONNECTION.has(status) || status > 599) return this;
    const headers = { ...this.headers, [PREFERENCE_APPLIED]: PREFER_UPSTREAM_STATUS };
    return new UpstreamFailure(status, headers, this.body, status);
  }
}
