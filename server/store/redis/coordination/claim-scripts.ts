import { ALLOW_OOM, CHECK, createScript, VERSION, type Script } from '../script.ts';
import { REFRESH, wake } from './lua.ts';

export interface ClaimScripts {
  readonly take: Script;
  readonly mark: Script;
  readonly get: Script;
}

/*
 * KEYS[1] is the claim of a key, a hash: v, token, process, fingerprint, state, abortedAt, and the epoch of its
 * shadow. KEYS[2] and KEYS[3] are its shadow: a log in the form of version 0.1, so that a process of that version
 * does not take a key that is held. Version 0.1 takes and frees keys with the shadow alone. A shadow with another
 * epoch is therefore newer than the claim, and counts instead of it.
 */

/**
 * Returns token, process, fingerprint, state, abortedAt and the shadow's epoch; then the epoch of the shadow, if
 * there is one.
 */
const CURRENT = `
${CHECK}
local function current()
  local c = redis.call('HMGET', KEYS[1], 'token', 'process', 'fingerprint', 'state', 'abortedAt', 'epoch', 'v')
  check(c[7])
  local s = redis.call('HMGET', KEYS[2], 'epoch', 'init', 'end')
  if s[1] and s[1] ~= c[6] then
    local of = cjson.decode(s[2]).metadata
    local state = s[3] and 'kept' or 'open'
    return { of.streamId or '', of.owner or '', of.fingerprint or '', state, '0', s[1] }, true
  end
  return c[1] and c or nil, s[1]
end
local function write(c)
  redis.call('HSET', KEYS[1], 'v', '${VERSION}', 'token', c[1], 'process', c[2], 'fingerprint', c[3],
    'state', c[4], 'abortedAt', c[5], 'epoch', c[6])
end
`;

/**
 * ARGV: token, process, fingerprint, state, abortedAt, epoch, then token and state of the holder to replace, init of
 * the shadow, ttl. Replies with the resulting claim.
 */
const TAKE = `
local c = current()
if not c or (c[1] ~= ARGV[1] and c[1] == ARGV[7] and c[4] == ARGV[8]) then
  local last = c and c[6]
  c = ARGV
  write(c)
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('HSET', KEYS[2], 'v', '${VERSION}', 'epoch', ARGV[6], 'owner', '', 'init', ARGV[9], 'ttl', ARGV[10], 'tail', '0')
  if last then wake('g', last, 0, '') end
end
refresh(ARGV[10])
return { 'OK', c[1], c[2], c[3], c[4], c[5] }
`;

/**
 * ARGV: token, state, now, ttl. A process of version 0.1 rejects a request whose fingerprint differs from the shadow's.
 */
const MARK = `
local c, shadow = current()
if not c or c[1] ~= ARGV[1] then return { 'OK' } end
local state = ARGV[2]
if (state == 'kept' and c[4] ~= 'open') or (state == 'freed' and c[4] == 'aborted') then return { 'OK' } end
c[4] = state
if state == 'aborted' then c[5] = ARGV[3] end
write(c)
if state == 'freed' then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  wake('g', c[6], 0, '')
elseif state == 'aborted' then
  if shadow then
    local init = cjson.decode(redis.call('HGET', KEYS[2], 'init'))
    init.metadata.fingerprint = ''
    redis.call('HSET', KEYS[2], 'init', cjson.encode(init))
  end
  wake('m', c[6], 0, '')
else
  local ending = '{"outcome":"complete"}'
  if shadow then redis.call('HSET', KEYS[2], 'end', ending) end
  wake('e', c[6], 0, string.format('%08d', #ending) .. ending)
end
refresh(ARGV[4])
return { 'OK' }
`;

const GET = `
local c = current()
if not c then return { 'NOT_FOUND' } end
return { 'OK', c[1], c[2], c[3], c[4], c[5] }
`;

export function claimScripts(publish: 'PUBLISH' | 'SPUBLISH'): ClaimScripts {
  const shared = wake(publish) + REFRESH + CURRENT;
  return {
    take: createScript('', shared + TAKE),
    mark: createScript(ALLOW_OOM, shared + MARK),
    get: createScript(ALLOW_OOM, shared + GET),
  };
}
