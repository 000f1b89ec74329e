import { ALLOW_OOM, CHECK, createScript, VERSION, type Script } from './script.ts';

export interface Scripts {
  readonly create: Script;
  readonly annotate: Script;
  readonly append: Script;
  readonly close: Script;
  readonly adopt: Script;
  readonly read: Script;
  readonly open: Script;
  readonly head: Script;
  readonly delete: Script;
}

/** First field of a script's reply. Errors of Redis itself are thrown as errors. */
export type Status = 'OK' | 'AGAIN' | 'HELD' | 'NOT_FOUND' | 'CLOSED' | 'FENCED' | 'LOST' | 'INVALID_OFFSET';

/**
 * Bytes above which a message contains only the tail, and readers in other processes fetch the new bytes. A larger message would
 * double the cost of an append, even if no process receives it.
 */
const MESSAGE_BYTES = 16_384;

/*
 * KEYS[1] is the stream's hash, KEYS[2] its log. Fields of the hash:
 *
 *   v        version of the record; absent if version 0.1 wrote it
 *   epoch    identifies the stream among all that are created under its id
 *   owner    the store (a process) that created it
 *   init     contentType, ttlSeconds and metadata, as JSON
 *   ttl      in milliseconds
 *   notes    entries that were added to the metadata, a line of JSON each
 *   tail     position after the last byte
 *   end      how it ended, as JSON; absent while it is open
 *   fence    number of adoptions; absent for 0
 *   adopter  the last adopter, to detect a repetition
 *   w:<who>  number of the last append of a store, to detect a repetition
 *
 * Redis runs a script atomically, but does not roll back when one of its commands fails. Therefore the first write is
 * one that Redis rejects when memory is full, and nothing after it can fail. Scripts with `allow-oom` free memory,
 * keep a stream readable, or end it, and must also run when memory is full.
 */

/** Notifies followers: kind, epoch, position, and the fields of the kind (see `messages.ts`). */
const notifying = (publish: string): string => `
local function notify(kind, epoch, position, rest, owner, who)
  local message = kind .. epoch .. string.format('%016.0f', position) .. rest
  local base = string.sub(KEYS[1], 1, -5)
  redis.call('${publish}', base .. 'live', message)
  if owner ~= who then redis.call('${publish}', base .. 'foreign', message) end
end
`;

const REFRESH = `
local function refresh(ttl)
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
`;

/** Returns true if the writer has a fence that is not the stream's. */
const FENCE = `
local function isFenced(fence, current)
  return fence ~= '' and fence ~= (current or '0')
end
`;

/**
 * Adds ARGV[first] and all later arguments after `tail`, and returns the new tail; nil if earlier bytes are missing
 * (Redis evicted the log but not the hash). Uses '%.0f' because Lua prints large numbers rounded.
 */
const ADD = `
local function add(tail, first)
  for i = first, #ARGV do
    local id = string.format('%.0f-0', tail + #ARGV[i])
    if tail == 0 then
      redis.call('XADD', KEYS[2], id, 'd', ARGV[i])
    elseif not redis.call('XADD', KEYS[2], 'NOMKSTREAM', id, 'd', ARGV[i]) then
      return nil
    end
    tail = tail + #ARGV[i]
  end
  return tail
end
`;

/** ARGV: epoch, owner, init, ttl. A repetition of a create that succeeded succeeds again. */
const CREATE = `
local held = redis.call('HGET', KEYS[1], 'epoch')
if held then return { held == ARGV[1] and 'OK' or 'HELD' } end
redis.call('HSET', KEYS[1], 'v', '${VERSION}', 'epoch', ARGV[1], 'owner', ARGV[2], 'init', ARGV[3], 'ttl', ARGV[4], 'tail', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return { 'OK' }
`;

/** ARGV: who, epoch or '', fence or '', a line of JSON. Replies with all lines. A repeated line changes nothing. */
const ANNOTATE = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'ttl', 'end', 'owner', 'notes', 'fence', 'v')
check(m[7])
if not m[1] or (ARGV[2] ~= '' and ARGV[2] ~= m[1]) then return { 'NOT_FOUND' } end
local notes = (m[5] or '')
if m[3] then return { 'OK', m[1], notes } end
if isFenced(ARGV[3], m[6]) then return { 'FENCED' } end
notes = notes .. ARGV[4]
redis.call('HSET', KEYS[1], 'notes', notes)
refresh(m[2])
notify('n', m[1], 0, notes, m[4], ARGV[1])
return { 'OK', m[1], notes }
`;

/**
 * ARGV: who, number, epoch or '', least tail, fence or '', bytes... Replies with the epoch and the tail.
 *
 * A number that is not above the last one of that store is not written: it was written already, or it is so late that
 * its caller has received an error. A tail before an acknowledged one means that a failover lost bytes: continuing
 * would store other bytes at offsets that readers already have.
 */
const APPEND = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'ttl', 'end', 'owner', 'w:' .. ARGV[1], 'fence', 'v')
check(m[8])
if not m[1] or (ARGV[3] ~= '' and ARGV[3] ~= m[1]) then return { 'NOT_FOUND' } end
if m[6] and tonumber(m[6]) >= tonumber(ARGV[2]) then return { 'AGAIN', m[1], m[2] } end
if m[4] then return { 'CLOSED' } end
if isFenced(ARGV[5], m[7]) then return { 'FENCED' } end
local start = tonumber(m[2])
if start < tonumber(ARGV[4]) then return { 'LOST' } end
local tail = add(start, 6)
if not tail then return { 'NOT_FOUND' } end
local position = string.format('%.0f', tail)
redis.call('HSET', KEYS[1], 'tail', position, 'w:' .. ARGV[1], ARGV[2])
refresh(m[3])
if tail > start then
  if tail - start > ${MESSAGE_BYTES} then notify('m', m[1], tail, '', m[5], ARGV[1])
  else notify('d', m[1], start, table.concat(ARGV, '', 6), m[5], ARGV[1]) end
end
return { 'OK', m[1], position }
`;

/**
 * ARGV: who, epoch or '', least tail, end, end if bytes were lost, fence or '', bytes... Replies with the epoch, the
 * tail and the stored end.
 */
const CLOSE = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'ttl', 'end', 'owner', 'fence', 'v')
check(m[7])
if not m[1] or (ARGV[2] ~= '' and ARGV[2] ~= m[1]) then return { 'NOT_FOUND' } end
if m[4] then return { 'HELD', m[1], m[2], m[4] } end
if isFenced(ARGV[6], m[6]) then return { 'FENCED' } end
local start, tail, ending, status, bytes = tonumber(m[2]), nil, ARGV[4], 'OK', ''
if start < tonumber(ARGV[3]) then
  tail, ending, status = start, ARGV[5], 'LOST'
else
  tail = add(start, 7)
  if not tail then return { 'NOT_FOUND' } end
end
local position = string.format('%.0f', tail)
redis.call('HSET', KEYS[1], 'tail', position, 'end', ending)
refresh(m[3])
if tail - start > ${MESSAGE_BYTES} then
  notify('m', m[1], tail, '', m[5], ARGV[1])
else
  if tail > start then bytes = table.concat(ARGV, '', 7) end
  notify('e', m[1], start, string.format('%08d', #ending) .. ending .. bytes, m[5], ARGV[1])
end
return { status, m[1], position, ending }
`;

/**
 * ARGV: who, adopter, expected fence, a line of JSON. Replies with the epoch, the tail, the new fence and all lines. A
 * repetition of an adoption that succeeded succeeds again.
 */
const ADOPT = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'ttl', 'end', 'owner', 'notes', 'fence', 'adopter', 'v')
check(m[9])
if not m[1] then return { 'NOT_FOUND' } end
if m[8] == ARGV[2] then return { 'OK', m[1], m[2], m[7], m[6] } end
if m[4] then return { 'CLOSED' } end
if isFenced(ARGV[3], m[7]) then return { 'FENCED' } end
local fence = string.format('%.0f', tonumber(ARGV[3]) + 1)
local notes = (m[6] or '') .. ARGV[4]
redis.call('HSET', KEYS[1], 'fence', fence, 'adopter', ARGV[2], 'notes', notes)
refresh(m[3])
notify('n', m[1], 0, notes, m[5], ARGV[1])
return { 'OK', m[1], m[2], fence, notes }
`;

/**
 * ARGV: from, maximum bytes, epoch or '', '1' to restart the TTL. Replies with the epoch, the tail, the end, the bytes
 * and the average size of their entries. Reads a few entries first, then estimates the number of entries from their size.
 */
const READ = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'ttl', 'end', 'v')
check(m[5])
if not m[1] or (ARGV[3] ~= '' and ARGV[3] ~= m[1]) then return { 'NOT_FOUND' } end
local at, most, tail = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(m[2])
if at > tail then return { 'INVALID_OFFSET' } end
if ARGV[4] == '1' then refresh(m[3]) end
local parts, size, whole, count = {}, 0, 0, 1
while size < most and at < tail do
  local entries = redis.call('XRANGE', KEYS[2], string.format('(%.0f-0', at), '+', 'COUNT', count)
  if #entries == 0 then return { 'NOT_FOUND' } end
  for _, entry in ipairs(entries) do
    local data = entry[2][2]
    local start = tonumber(string.match(entry[1], '^%d+')) - #data
    if start > at then return { 'NOT_FOUND' } end
    local first, last = at - start + 1, math.min(#data, at - start + most - size)
    if first > 1 or last < #data then data = string.sub(data, first, last) end
    parts[#parts + 1] = data
    size, at, whole = size + #data, at + #data, whole + #entry[2][2]
    if size >= most then break end
  end
  count = math.min(256, math.ceil((most - size) * #parts / whole) + 1)
end
return { 'OK', m[1], m[2], m[4], table.concat(parts), whole / math.max(1, #parts) }
`;

/** Restarts the TTL for a new reader. Replies with the epoch, tail, end, owner, init, notes and fence. */
const OPEN = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'ttl', 'end', 'owner', 'init', 'notes', 'fence', 'v')
check(m[9])
if not m[1] then return { 'NOT_FOUND' } end
refresh(m[3])
return { 'OK', m[1], m[2], m[4], m[5], m[6], m[7], m[8] }
`;

/** Replies with the state of a stream: the epoch, the tail, the end, init, notes and the fence. */
const HEAD = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'tail', 'end', 'init', 'notes', 'fence', 'v')
check(m[7])
if not m[1] then return { 'NOT_FOUND' } end
return { 'OK', m[1], m[2], m[3], m[4], m[5], m[6] }
`;

/** ARGV: who. Uses UNLINK, because freeing a long log takes time and would block other streams. */
const DELETE = `
local m = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'v')
check(m[3])
redis.call('UNLINK', KEYS[1], KEYS[2])
if not m[1] then return { 'NOT_FOUND' } end
notify('g', m[1], 0, '', m[2], ARGV[1])
return { 'OK' }
`;

/** @param publish `SPUBLISH` in a cluster, where messages stay within the stream's shard. */
export function scriptsFor(publish: 'PUBLISH' | 'SPUBLISH'): Scripts {
  const notify = notifying(publish);
  return {
    create: createScript('', CREATE),
    annotate: createScript('', CHECK + notify + REFRESH + FENCE + ANNOTATE),
    append: createScript('', CHECK + notify + REFRESH + ADD + FENCE + APPEND),
    close: createScript(ALLOW_OOM, CHECK + notify + REFRESH + ADD + FENCE + CLOSE),
    adopt: createScript('', CHECK + notify + REFRESH + FENCE + ADOPT),
    read: createScript(ALLOW_OOM, CHECK + REFRESH + READ),
    open: createScript(ALLOW_OOM, CHECK + REFRESH + OPEN),
    head: createScript(ALLOW_OOM, CHECK + HEAD),
    delete: createScript(ALLOW_OOM, CHECK + notify + DELETE),
  };
}
