import { UPSTREAM_STATUS } from '../../protocol/headers.ts';

/** An upstream's 4xx or 5xx, on its way to the caller as the upstream gave it: 502 with `Upstream-Status`. */
export class UpstreamFailure extends Error {
  override readonly name = 'UpstreamFailure';
  readonly code = 'UPSTREAM_ERROR';
  readonly status = 502;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;

  constructor(upstreamStatus: number, headers: Record<string, string>, body: Buffer) {
    super(`The upstream answered ${upstreamStatus}`);
    this.headers = { ...headers, [UPSTREAM_STATUS]: String(upstreamStatus) };
    this.body = body;
  }
}
