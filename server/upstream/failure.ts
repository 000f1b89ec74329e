import { PREFERENCE_APPLIED, PREFER_UPSTREAM_STATUS, UPSTREAM_STATUS } from '../../protocol/headers.ts';

/**
 * Statuses that are about one connection and that browsers act on by themselves: Chromium repeats a request
 * after 408, 421 and 425, and fails one with 407 (RFC 9110, sections 15.5.8, 15.5.9, 15.5.20; RFC 8470).
 */
const OF_ONE_CONNECTION: ReadonlySet<number> = new Set([407, 408, 421, 425]);

/** An upstream's 4xx or 5xx, passed to the caller unchanged, by default as a 502 with `Upstream-Status`. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly code = 'UPSTREAM_ERROR';
  /** The status of the response to the caller. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly #upstreamStatus: number;

  constructor(upstreamStatus: number, headers: Record<string, string>, body: Buffer, status = 502) {
    super(`The upstream answered ${upstreamStatus}`);
    this.headers = { ...headers, [UPSTREAM_STATUS]: String(upstreamStatus) };
    this.body = body;
    this.status = status;
    this.#upstreamStatus = upstreamStatus;
  }

  /**
   * Returns the same failure with the upstream's own status, as `Prefer: upstream-status` asks for. Returns it
   * unchanged if the status is about one connection or not an HTTP error.
   */
  withUpstreamStatus(): UpstreamFailure {
    const status = this.#upstreamStatus;
    if (OF_ONE_CONNECTION.has(status) || status > 599) return this;
    const headers = { ...this.headers, [PREFERENCE_APPLIED]: PREFER_UPSTREAM_STATUS };
    return new UpstreamFailure(status, headers, this.body, status);
  }
}
