import { MAX_CREATES, OLDER_CREATES } from '../../../coordination/creates.ts';
import { ALLOW_OOM, CHECK, createScript, VERSION, type Script } from '../script.ts';
import { REFRESH, wake } from './lua.ts';

export interface NameScripts {
  readonly set: Script;
  readonly get: Script;
}

/** Bytes above which the shadow is rewritten. */
const SHADOW_BYTES = 65_536;

/*
 * KEYS[1] is a name, a hash: v, its creates (a line each: stream, process, state; the newest is the last), and how
 * far its shadow was read: its epoch and the position seen. KEYS[2] and KEYS[3] are the shadow: a log in the form of
 * version 0.1, a line of JSON for each create and each result. Lines that processes of version 0.1 add to it are
 * copied to the name.
 */
const LOAD = `
local creates = {}
local function apply(id, process, state)
  local known
  for i, create in ipairs(creates) do
    if create[1] == id then known = i end
  end
  if state == 'accepted' then
    if known then return false end
    if #creates >= ${MAX_CREATES} then
      table.remove(creates, creates[1][3] == 'answered' and creates[2][3] ~= 'answered' and 2 or 1)
    end
    creates[#creates + 1] = { id, process, state }
  elseif not known then
    return false
  elseif state == 'answered' then
    creates[known][3] = state
    for _ = ${OLDER_CREATES + 2}, known do table.remove(creates, 1) end
  elseif state == 'failed' then
    table.remove(creates, known)
  end
  return true
end

local n = redis.call('HMGET', KEYS[1], 'creates', 'epoch', 'seen', 'v')
check(n[4])
for id, process, state in string.gmatch(n[1] or '', '(%S*) (%S*) (%S*)\\n') do
  creates[#creates + 1] = { id, process, state }
end
local s = redis.call('HMGET', KEYS[2], 'epoch', 'tail')
local epoch, tail = s[1], tonumber(s[2] or 0)
local seen = epoch == n[2] and tonumber(n[3] or 0) or 0
local isChanged = false
if epoch and tail > seen then
  isChanged = true
  for _, entry in ipairs(redis.call('XRANGE', KEYS[3], string.format('(%.0f-0', seen), '+')) do
    for line in string.gmatch(entry[2][2], '[^\\n]+') do
      local isLine, create = pcall(cjson.decode, line)
      if isLine and type(create) == 'table' and type(create.streamId) == 'string' then
        apply(create.streamId, tostring(create.owner or ''), create.state)
      end
    end
  end
end

local function save()
  local lines = {}
  for i, create in ipairs(creates) do lines[i] = table.concat(create, ' ') .. '\\n' end
  redis.call('HSET', KEYS[1], 'v', '${VERSION}', 'creates', table.concat(lines), 'epoch', epoch or '', 'seen', string.format('%.0f', tail))
end
`;

/** ARGV: stream, process, state, epoch, init and ttl of the shadow. */
const SET = `
local function add(id, process, state)
  local line = string.format('{"streamId":"%s","owner":"%s","state":"%s"}\\n', id, process, state)
  local start = tail
  tail = tail + #line
  redis.call('XADD', KEYS[3], string.format('%.0f-0', tail), 'd', line)
  redis.call('HSET', KEYS[2], 'tail', string.format('%.0f', tail))
  wake('d', epoch, start, line)
end
if apply(ARGV[1], ARGV[2], ARGV[3]) then
  -- The first write is one that Redis refuses when memory is full.
  save()
  if epoch and tail <= ${SHADOW_BYTES} then
    add(ARGV[1], ARGV[2], ARGV[3])
  else
    if epoch then wake('g', epoch, 0, '') end
    redis.call('DEL', KEYS[2], KEYS[3])
    epoch, tail = ARGV[4], 0
    redis.call('HSET', KEYS[2], 'v', '${VERSION}', 'epoch', epoch, 'owner', '', 'init', ARGV[5], 'ttl', ARGV[6], 'tail', '0')
    for _, create in ipairs(creates) do
      add(create[1], create[2], 'accepted')
      if create[3] ~= 'accepted' then add(create[1], create[2], create[3]) end
    end
  end
  save()
elseif isChanged then
  save()
end
refresh(ARGV[6])
return { 'OK' }
`;

/** ARGV: ttl. Replies with all creates. */
const GET = `
if isChanged then save() end
refresh(ARGV[1])
local reply = { 'OK' }
for _, create in ipairs(creates) do
  for _, field in ipairs(create) do reply[#reply + 1] = field end
end
return reply
`;

export function nameScripts(publish: 'PUBLISH' | 'SPUBLISH'): NameScripts {
  const shared = wake(publish) + REFRESH + LOAD;
  return {
    set: createScript('', CHECK + shared + SET),
    get: createScript(ALLOW_OOM, CHECK + shared + GET),
  };
}
