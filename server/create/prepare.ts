import type { IncomingMessage } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../errors.ts';
import type { PrepareUpstream } from '../options.ts';
import { compileAllowlist, type Allowlist } from '../upstream/allowlist.ts';
import { upstreamRequestHeaders } from '../upstream/headers.ts';
import type { CreateRequest } from './request.ts';

/** An upstream request that may be sent: its URL passed the allowlist as it is here. */
export interface UpstreamTarget {
  readonly url: URL;
  readonly literalHost: boolean;
  readonly headers: [string, string][];
}

/** Checks against the server's list and, for a token that narrows it, the caller's. */
export type CheckUrl = (url: string) => { url: URL; literalHost: boolean };

/** @throws ProxyError `UPSTREAM_NOT_ALLOWED` from the function that it gives. */
export function urlChecker(allowlist: Allowlist, caller: Caller | undefined): CheckUrl {
  const narrowed = caller?.allow && compileAllowlist(caller.allow);
  return (url) => {
    const allowed = allowlist.check(url);
    if (!allowed || (narrowed && !narrowed.check(url))) {
      throw new ProxyError('UPSTREAM_NOT_ALLOWED', 'This upstream URL is not in the allowlist');
    }
    return allowed;
  };
}

/** Headers for the upstream, and what `prepareUpstream` makes of them and of the URL. */
export async function prepareTarget(
  req: IncomingMessage,
  request: CreateRequest,
  allowed: ReturnType<CheckUrl>,
  check: CheckUrl,
  prepare: PrepareUpstream | undefined,
  caller: Caller | undefined,
): Promise<UpstreamTarget> {
  const headers = upstreamRequestHeaders(req.rawHeaders, request.authorization);
  if (!prepare) return { ...allowed, headers };
  const draft = {
    url: new URL(allowed.url),
    method: request.method,
    headers: new Headers(headers),
    subject: caller?.subject,
    req,
  };
  const result = (await prepare(draft)) ?? {};
  return {
    ...check(String(result.url ?? draft.url)),
    headers: [...new Headers(result.headers ?? draft.headers)],
  };
}
