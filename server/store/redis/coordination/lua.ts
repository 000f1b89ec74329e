/** Lua functions that the coordinator's scripts share. The last two keys of each script are a hash and a log. */

/** Milliseconds since 1970 by the Redis clock, which all processes share. */
export const NOW = `
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
`;

/**
 * Notifies watchers, in the form of the store's messages (see `messages.ts`), because processes of version 0.1 follow
 * logs. A process that created the log listens to the channel `foreign`.
 */
export const wake = (publish: 'PUBLISH' | 'SPUBLISH'): string => `
local function wake(kind, epoch, position, rest)
  local message = kind .. epoch .. string.format('%016.0f', position) .. rest
  local base = string.sub(KEYS[1], 1, string.find(KEYS[1], ':[^:]*$'))
  redis.call('${publish}', base .. 'live', message)
  redis.call('${publish}', base .. 'foreign', message)
end
`;

export const REFRESH = `
local function refresh(ttl)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ttl) end
end
`;
