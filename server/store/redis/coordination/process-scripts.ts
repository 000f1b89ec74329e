import { ALLOW_OOM, createScript, VERSION, type Script } from '../script.ts';
import { REFRESH, wake } from './lua.ts';

export interface ProcessScripts {
  readonly join: Script;
  readonly renew: Script;
  readonly leave: Script;
  readonly alive: Script;
  readonly notify: Script;
  readonly add: Script;
  readonly remove: Script;
  readonly members: Script;
  readonly keep: Script;
}

/** Maximum number of messages that a mailbox keeps for a process that does not read them. */
const MAILBOX_LENGTH = 10_000;

/*
 * KEYS[1] is the lease of a process: a hash that expires. KEYS[2] is its mailbox: a Redis Stream, in which an entry's
 * id is the position after its bytes. Both have the form of a stream's hash and log, as version 0.1 has them, so that
 * processes of both versions can check whether the other is alive and send messages to it.
 */

/** ARGV: epoch, init, ttl. Replies with the epoch of the lease: an existing lease is never replaced. */
const JOIN = `
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'v', '${VERSION}', 'owner', '', 'init', ARGV[2], 'ttl', ARGV[3], 'tail', '0')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('DEL', KEYS[2])
end
return { 'OK', redis.call('HGET', KEYS[1], 'epoch') }
`;

/**
 * ARGV: epoch, ttl, position. Replies with the position and the bytes of new messages. A renewal that arrives after the
 * lease has expired or was released changes nothing.
 */
const RENEW = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail')
if m[1] ~= ARGV[1] then return { 'NOT_FOUND' } end
refresh(ARGV[2])
-- A failover may have lost messages that were received.
local position, parts = tonumber(m[2]) < tonumber(ARGV[3]) and m[2] or ARGV[3], {}
redis.call('XTRIM', KEYS[2], 'MINID', position)
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. position .. '-0', '+', 'COUNT', 128)) do
  position, parts[#parts + 1] = string.match(entry[1], '^%d+'), entry[2][2]
end
return { 'OK', position, table.concat(parts) }
`;

/** ARGV: epoch. */
const LEAVE = `
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then redis.call('UNLINK', KEYS[1], KEYS[2]) end
return { 'OK' }
`;

const ALIVE = `
return { redis.call('HEXISTS', KEYS[1], 'epoch') == 1 and 'OK' or 'NOT_FOUND' }
`;

/** ARGV: a line. Does not extend the lease. */
const NOTIFY = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail')
if not m[1] then return { 'NOT_FOUND' } end
local start = tonumber(m[2])
local tail = string.format('%.0f', start + #ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${MAILBOX_LENGTH}, tail .. '-0', 'd', ARGV[1])
redis.call('HSET', KEYS[1], 'tail', tail)
redis.call('PEXPIRE', KEYS[2], math.max(1, redis.call('PTTL', KEYS[1])))
wake('d', m[1], start, ARGV[1])
return { 'OK' }
`;

/** KEYS[1]: a set. ARGV: ttl, member. */
const ADD = `
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'OK' }
`;

/** KEYS[1]: a set. ARGV: members. */
const REMOVE = `
for _, member in ipairs(ARGV) do redis.call('SREM', KEYS[1], member) end
return { 'OK' }
`;

/** Not `unpack`, which Lua limits to 8,000 values. */
const MEMBERS = `
local reply = redis.call('SMEMBERS', KEYS[1])
table.insert(reply, 1, 'OK')
return reply
`;

/** KEYS[1]: a set. ARGV: ttl, and optionally a member that the set must have. */
const KEEP = `
if ARGV[2] then redis.call('SADD', KEYS[1], ARGV[2]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'OK' }
`;

export function processScripts(publish: 'PUBLISH' | 'SPUBLISH'): ProcessScripts {
  return {
    join: createScript('', JOIN),
    renew: createScript(ALLOW_OOM, REFRESH + RENEW),
    leave: createScript(ALLOW_OOM, LEAVE),
    alive: createScript(ALLOW_OOM, ALIVE),
    notify: createScript('', wake(publish) + NOTIFY),
    add: createScript('', ADD),
    remove: createScript(ALLOW_OOM, REMOVE),
    members: createScript(ALLOW_OOM, MEMBERS),
    keep: createScript(ALLOW_OOM, KEEP),
  };
}
