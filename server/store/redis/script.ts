import { createHash } from 'node:crypto';

/** A script with the name that Redis knows it by once it has run it. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Flags of a script that frees memory or keeps something readable, and so must run when memory is full. */
export const ALLOW_OOM = '#!lua flags=allow-oom\n';

/**
 * ARGV begins with a token, which the reply begins with too: whose reply it is must not depend on the order of
 * replies (see `StrayReplyError`). The body sees what follows it.
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
