import type { IncomingMessage } from 'node:http';
import type { Caller } from '../auth/service.ts';
import { ProxyError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { PrepareUpstream, UpstreamDraft } from '../options.ts';
import { redact, secretsOfHeaders } from '../shared/redact.ts';
import { compileAllowlist, type Allowlist } from '../upstream/allowlist.ts';
import { closePatterns, loggableUrl } from '../upstream/refused-url.ts';

/** An upstream request that may be sent: its URL passed the allowlist as it is here. */
export interface UpstreamTarget {
  readonly url: URL;
  readonly literalHost: boolean;
  readonly headers: [string, string][];
}

/** Returns the origin and path of the upstream: a query may hold a credential. */
export function loggableTarget({ url }: Pick<UpstreamTarget, 'url'>): string {
  return url.origin + url.pathname;
}

/** Checks against the server's list and, for a token that narrows it, the caller's. */
export type CheckUrl = (url: string) => { url: URL; literalHost: boolean };

export interface UrlCheckerOptions {
  readonly allowlist: Allowlist;
  /** The patterns of `allowlist`, to name those that come close to a refused URL. */
  readonly patterns: readonly string[];
  readonly caller: Pick<Caller, 'allow'> | undefined;
  readonly logger: Logger;
}

/**
 * Creates the check of a request's upstream URL. The response to a refused one does not say what would be allowed
 * (URL-5), so the log does.
 * @throws ProxyError `UPSTREAM_NOT_ALLOWED` from the function that it returns.
 */
export function urlChecker({ allowlist, patterns, caller, logger }: UrlCheckerOptions): CheckUrl {
  const narrowed = caller?.allow && compileAllowlist(caller.allow);
  return (url) => {
    const allowed = allowlist.check(url);
    if (allowed && (!narrowed || narrowed.check(url))) return allowed;
    const by = allowed ? 'the "allow" of the caller\u2019s token' : 'the option allowlist';
    const shown = loggableUrl(url);
    const closest = closePatterns(url, allowed ? (caller?.allow ?? []) : patterns);
    const hint = closest.length > 0 ? `Close patterns: ${closest.join(', ')}` : 'No pattern comes close';
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

/** Headers for the upstream, and what `prepareUpstream` makes of them and of the URL. */
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
    // It may have put the provider's key into its own error.
    throw new ProxyError('INTERNAL_ERROR', 'The upstream request could not be prepared', {
      cause: redact(cause, secretsOfHeaders(draft.headers)),
    });
  }
  return {
    ...check(String(result.url ?? draft.url)),
    headers: [...new Headers(result.headers ?? draft.headers)],
  };
}
