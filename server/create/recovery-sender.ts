import type { ResolvedOptions } from '../options/resolve.ts';
import type { RecoveriesOptions } from '../recovery/recoveries.ts';
import type { Allowlist } from '../upstream/allowlist.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import { prepareTarget, urlChecker } from './prepare.ts';

export interface RecoverySenderOptions {
  readonly options: ResolvedOptions;
  readonly allowlist: Allowlist;
  readonly upstream: UpstreamClient;
}

/** Creates the function that sends requests of recoveries, with the same checks as a create. */
export function recoverySender({
  options,
  allowlist,
  upstream,
}: RecoverySenderOptions): RecoveriesOptions['send'] {
  const { logger, prepareUpstream: prepare } = options;
  return async ({ purpose, url, method, headers, body, subject, allow }, signal) => {
    const caller = allow && { allow };
    const check = urlChecker({ allowlist, patterns: options.allowlist, caller, logger });
    const target = await prepareTarget({
      purpose,
      req: undefined,
      method,
      headers: [...headers],
      allowed: check(url),
      check,
      prepare,
      subject,
    });
    return upstream.request({ ...target, method, body, signal });
  };
}
