import type { IncomingMessage } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { PrepareUpstream, UpstreamDraft } from '../options.ts';
import { redact, secretsOfHeaders } from '../shared/redact.ts';
import { compileAllowlist, type Allowlist } from '../upstream/allowlist.ts';
import { closePatterns, loggableUrl } from '../upstream/refused-url.ts';

/** An upstream request that may be sent: the allowlist covers its URL. */
export interface UpstreamTarget {
  readonly url: URL;
  readonly literalHost: boolean;
  readonly headers: [string, string][];
}

/** Returns the origin and path of the upstream. The query is omitted, because it may contain a credential. */
export function loggableTarget({ url }: Pick<UpstreamTarget, 'url'>): string {
  return url.origin + url.pathname;
}

/** Checks a URL against the server's allowlist and, for a token with `allow`, the caller's. */
export type CheckUrl = (url: string) => { url: URL; literalHost: boolean };

export interface UrlCheckerOptions {
  readonly allowlist: Allowlist;
  /** The patterns of `allowlist`, for logging those that are similar to a rejected URL. */
  readonly patterns: readonly string[];
  readonly caller: Pick<Caller, 'allow'> | undefined;
  readonly logger: Logger;
}

/**
 * Creates the check of a request's upstream URL. The response does not contain the allowlist (URL-5), so the log does.
 * @throws ProxyError `UPSTREAM_NOT_ALLOWED` from the returned function.
 */
export function urlChecker({ allowlist, patterns, caller, logger }: UrlCheckerOptions): CheckUrl {
  const narrowed = caller?.allow && compileAllowlist(caller.allow);
  return (url) => {
    const allowed = allowlist.check(url);
    if (allowed && (!narrowed || narrowed.check(url))) return allowed;
    const by = allowed ? 'the "allow" of the caller\u2019s token' : 'the option allowlist';
    const shown = loggableUrl(url);
    const closest = closePatterns(url, allowed ? (caller?.allow ?? []) : patterns);
    const hint = closest.length > 0 ? `Close patterns: ${closest.join(', ')}` : 'No pattern is similar';
    const code = 'UPSTREAM_NOT_ALLOWED';
    logger.warn({ code, url: shown, closest }, `refused ${JSON.stringify(shown)}: not in ${by}. ${hint}`);
    throw new ProxyError(code, 'This upstream URL is not in the allowlist');
  };
}

export interface PrepareTargetOptions {
  readonly purpose: UpstreamDraft['purpose'];
  /** The request of a create. */
  readonly req: IncomingMessage | undefined;
  readonly method: string;
  /** Headers for the upstream. */
  readonly headers: [string, string][];
  readonly allowed: ReturnType<CheckUrl>;
  readonly check: CheckUrl;
  readonly prepare: PrepareUpstream | undefined;
  readonly subject: string | undefined;
}

/** Returns the upstream request after `prepareUpstream` has changed its URL and headers. */
export async function prepareTarget({
  purpose,
  req,
  method,
  headers,
  allowed,
  check,
  prepare,
  subject,
}: PrepareTargetOptions): Promise<UpstreamTarget> {
  if (!prepare) return { ...allowed, headers };
  const draft = {
    url: new URL(allowed.url),
    method,
    headers: new Headers(headers),
    subject,
    purpose,
    req,
  };
  let result;
  try {
    result = (await prepare(draft)) ?? {};
  } catch (cause) {
    if (cause instanceof ProxyError) throw cause;
    // The error of the operator's function may contain the provider's key.
    throw new ProxyError('INTERNAL_ERROR', 'The upstream request could not be prepared', {
      cause: redact(cause, secretsOfHeaders(draft.headers)),
    });
  }
  return {
    ...check(String(result.url ?? draft.url)),
    headers: [...new Headers(result.headers ?? draft.headers)],
  };
}
