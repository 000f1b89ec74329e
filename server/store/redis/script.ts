import { createHash } from 'node:crypto';

/** A script and its digest, by which Redis knows it once it has run. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Flags of a script that frees memory or keeps data readable, and therefore must run when memory is full. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n';

/**
 * Returns the command's token with the reply. ARGV begins with a token, and so does the reply: matching a reply to its
 * command must not depend on the order of replies (see `StrayReplyError`). The body receives the arguments after it.
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
