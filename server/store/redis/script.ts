import { createHash } from 'node:crypto';
import { RECORD_VERSION } from '../record-version.ts';

/** A script and its digest, by which Redis knows it once it has run. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Flags of a script that frees memory or keeps data readable, and therefore must run when memory is full. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n';

/**
 * Wraps the body of a script so that the reply begins with the first argument, a token of the command. Matching a
 * reply to its command must not depend on the order of replies (see `StrayReplyError`). The body receives the other
 * arguments.
 */
const marked = (body: string): string => `local token = table.remove(ARGV, 1)
local function run()${body}end
local reply = run()
table.insert(reply, 1, token)
return reply
`;

/** @param body Lua that returns a table: a status, then its values. */
export function createScript(flags: '' | typeof ALLOW_OOM, body: string): Script {
  const text = flags + marked(body);
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Version of the records that scripts write, and the newest that they read. */
export const VERSION = String(RECORD_VERSION);

/** Lua function that rejects a record of a newer release. */
export const CHECK = `
local function check(v)
  if v and tonumber(v) > ${VERSION} then error({ err = 'NEWER ' .. v }) end
end
`;
