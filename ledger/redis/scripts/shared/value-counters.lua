-- For scripts that make or drop the counters of values. Such a counter is named by its pool, '#' and the value, and stays
-- only while it holds money: one that was reserved and released leaves nothing. Those that the calls of one namespace make
-- have MAX_VALUES places in a pool (runs as many as there are) and MAX_NAMESPACE_VALUES in all; further values share a
-- counter of their workspace.

local function namespaceOf(name) return string.sub(name, 1, string.find(name, '/', 1, true) - 1) end

-- Whether a workspace is one of several whose calls a counter may count: it belongs to a spanning budget.
local function isSpanning(name, workspace)
  local slash = string.find(workspace, '/', 1, true)
  return string.sub(name, 1, slash) ~= string.sub(workspace, 1, slash)
end

-- What is in flight after a signed change.
local function inFlightAfter(before, change)
  if string.byte(change) == 45 and not less(string.sub(change, 2), before) then return '0' end
  return sum(before, change)
end

-- The pool and the value of a counter's full name; no value for a pool.
local function splitName(name)
  local mark = string.find(name, '#', 1, true)
  if not mark then return name end
  return string.sub(name, 1, mark - 1), string.sub(name, mark + 1)
end

local function isSharedValue(value) return string.sub(value, 1, #SHARED_VALUE) == SHARED_VALUE end

-- The shared counter of a workspace's further values. Only one workspace counts in a budget of its own namespace.
local function sharedValueOf(pool, workspace)
  return isSpanning(pool, workspace) and SHARED_VALUE .. workspace or SHARED_VALUE
end

local function valueExpireAt(poolExpireAt)
  return string.format('%d', poolExpireAt - (RETENTION_MS - VALUE_RETENTION_MS))
end

-- How many places a namespace's values take in each pool, and in all under ''; and its pools by when their values expire.
local function valueCountsOf(namespace)
  return prefix .. ':valueCounts:' .. namespace, prefix .. ':valuePools:' .. namespace
end

-- Takes what has expired out of a namespace's counts, a few pools at a time.
local function dropExpiredPools(namespace)
  local counts, pools = valueCountsOf(namespace)
  local expired = call('ZRANGEBYSCORE', pools, '-inf', string.format('%d', clock()), 'LIMIT', 0, 10)
  for _, pool in ipairs(expired) do
    call('HINCRBY', counts, '', -(call('HGET', counts, pool) or 0))
    call('HDEL', counts, pool)
    call('ZREM', pools, pool)
  end
  return #expired > 0
end

-- Whether a namespace's calls may make no further value in a pool, which has room for `most`.
local function hasAllValues(namespace, pool, most)
  local counts = valueCountsOf(namespace)
  local inPool, inAll = unpack(call('HMGET', counts, pool, ''))
  if tonumber(inPool or 0) >= most then return true end
  if tonumber(inAll or 0) < MAX_NAMESPACE_VALUES then return false end
  return not dropExpiredPools(namespace) or hasAllValues(namespace, pool, most)
end

-- How many places a value takes: as callers choose its length too, one for each 256 bytes of the counter's name.
local function placesOf(name) return 1 + math.floor(#name / 256) end

-- Lists the counter of a value, once its hash exists, and counts it for the namespace whose call made it.
local function addValue(counter, namespace)
  local pool, value = splitName(counter.name)
  local values = prefix .. ':values:' .. pool
  call('PEXPIREAT', counter.key, counter.expireAt)
  call('ZADD', values, 0, value)
  if call('PEXPIRETIME', values) < tonumber(counter.expireAt) then call('PEXPIREAT', values, counter.expireAt) end
  if isSharedValue(value) then return end
  if namespace ~= namespaceOf(pool) then call('HSET', counter.key, 'o', namespace) end
  local counts, pools = valueCountsOf(namespace)
  local places = placesOf(counter.name)
  call('HINCRBY', counts, '', places)
  if call('HINCRBY', counts, pool, places) > places then return end
  call('ZADD', pools, counter.expireAt, pool)
  dropExpiredPools(namespace)
  local keepUntil = math.max(call('PEXPIRETIME', counts), tonumber(counter.expireAt))
  for _, key in ipairs({ counts, pools }) do call('PEXPIREAT', key, string.format('%d', keepUntil)) end
end

-- Deletes the counter of a value, which holds nothing.
local function dropValue(counter, pool, value)
  local madeBy = call('HGET', counter.key, 'o') or namespaceOf(pool)
  call('DEL', counter.key)
  call('ZREM', prefix .. ':values:' .. pool, value)
  call('SREM', prefix .. ':exhausted:' .. pool, value)
  if isSharedValue(value) then return end
  local counts, pools = valueCountsOf(madeBy)
  local places = math.min(placesOf(counter.name), tonumber(call('HGET', counts, pool) or 0))
  if places == 0 then return end
  if call('HINCRBY', counts, pool, -places) == 0 then
    call('HDEL', counts, pool)
    call('ZREM', pools, pool)
  end
  if call('HINCRBY', counts, '', -places) == 0 then call('DEL', counts) end
end
