import type { IncomingMessage } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../errors.ts';
import type { PrepareUpstream } from '../options.ts';
import { compileAllowlist, type Allowlist } from '../upstream/allowlist.ts';
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

export interface PrepareTargetOptions {
  readonly req: IncomingMessage;
  readonly request: CreateRequest;
  /** Headers for the upstream. */
  readonly headers: [string, string][];
  readonly allowed: ReturnType<CheckUrl>;
  readonly check: CheckUrl;
  readonly prepare: PrepareUpstream | undefined;
  readonly caller: Caller | undefined;
}

/** Headers for the upstream, and what `prepareUpstream` makes of them and of the URL. */
export async function prepareTarget({
  req,
  request,
  headers,
  allowed,
  check,
  prepare,
  caller,
}: PrepareTargetOptions): Promise<UpstreamTarget> {
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
