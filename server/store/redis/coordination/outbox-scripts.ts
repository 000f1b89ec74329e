import { ALLOW_OOM, CHECK, createScript, VERSION, type Script } from '../script.ts';
import { NOW, REFRESH } from './lua.ts';

export interface OutboxScripts {
  readonly add: Script;
  readonly take: Script;
  readonly extend: Script;
  readonly retry: Script;
  readonly done: Script;
}

/*
 * KEYS[1] is a sorted set of the ids of tasks, by the time at which they are due. KEYS[2] is a hash: the payload of a
 * task by its id, `<id>:n` is the number of times that it was taken, `<id>:by` the attempt that has it, `:v` the
 * version. Ids contain no colon.
 */

/** ARGV: id, payload, milliseconds until the task is due, ttl. */
const ADD = `
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 1 then
  redis.call('HSET', KEYS[2], ':v', '${VERSION}')
  redis.call('ZADD', KEYS[1], now() + ARGV[3], ARGV[1])
end
refresh(ARGV[4])
return { 'OK' }
`;

/** ARGV: by, milliseconds to hold the task, ttl. Replies with the id, the payload and the number of attempts. */
const TAKE = `
check(redis.call('HGET', KEYS[2], ':v'))
local at = now()
refresh(ARGV[3])
local id = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, 1)[1]
if not id then return { 'NOT_FOUND' } end
redis.call('ZADD', KEYS[1], at + ARGV[2], id)
redis.call('HSET', KEYS[2], id .. ':by', ARGV[1])
return { 'OK', id, redis.call('HGET', KEYS[2], id), redis.call('HINCRBY', KEYS[2], id .. ':n', 1) }
`;

/** ARGV: id, by. */
const IF_HELD = `
if redis.call('HGET', KEYS[2], ARGV[1] .. ':by') ~= ARGV[2] then return { 'HELD' } end
`;

/** ARGV: id, by, milliseconds to hold the task. */
const EXTEND = `${IF_HELD}
redis.call('ZADD', KEYS[1], now() + ARGV[3], ARGV[1])
return { 'OK' }
`;

/** ARGV: id, by, milliseconds until the task is due, attempts so far. */
const RETRY = `${IF_HELD}
redis.call('ZADD', KEYS[1], now() + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1] .. ':n', ARGV[4])
return { 'OK' }
`;

const DONE = `${IF_HELD}
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1], ARGV[1] .. ':n', ARGV[1] .. ':by')
return { 'OK' }
`;

export function outboxScripts(): OutboxScripts {
  return {
    add: createScript('', NOW + REFRESH + ADD),
    take: createScript(ALLOW_OOM, CHECK + NOW + REFRESH + TAKE),
    extend: createScript(ALLOW_OOM, NOW + EXTEND),
    retry: createScript(ALLOW_OOM, NOW + RETRY),
    done: createScript(ALLOW_OOM, DONE),
  };
}
