-- For scripts that end calls: what a lease is and how its money moves.

-- A lease is lines: worst case, when it may be forgotten (ms), then the counters that it holds.
local function parse(lease)
  local worst, keepUntil, rest = string.match(lease, '^(%d+)\n(%d+)(.*)$')
  local counters = {}
  for counter in string.gmatch(rest, '[^\n]+') do
    -- One that has expired since stays away: its period ended days ago.
    local key = prefix .. ':counter:' .. counter
    if redis.call('HEXISTS', key, 'c') == 1 then counters[#counters + 1] = key end
  end
  return worst, keepUntil, counters
end

-- The steps that replace `old` by `new` in a sum: one where doubles are exact, else two.
local function replacement(old, new)
  if #old < 16 and #new < 16 then return { string.format('%.0f', new - old) } end
  if old == '0' then return { new } end
  return { '-' .. old, new }
end

local function move(counters, field, steps)
  for _, step in ipairs(steps) do
    if step ~= '0' then
      for _, key in ipairs(counters) do redis.call('HINCRBY', key, field, step) end
    end
  end
end

-- Where a call stands: open, presumed (swept), ended or unknown; and its lease.
local function find(incarnation, id)
  local lease = redis.call('HGET', prefix .. ':open:' .. incarnation, id)
  if lease then return 'open', lease end
  if redis.call('EXISTS', prefix .. ':ended:' .. id) == 1 then return 'ended' end
  local presumed = redis.call('HGET', prefix .. ':presumed', id)
  if not presumed then return 'unknown' end
  local origin, lease = string.match(presumed, '^(%a+)\n(.*)$')
  if origin == 'rest' then return 'ended' end
  return 'presumed', lease
end

local function forget(standing, incarnation, id)
  if standing == 'open' then
    redis.call('HDEL', prefix .. ':open:' .. incarnation, id)
  else
    redis.call('HDEL', prefix .. ':presumed', id)
    redis.call('ZREM', prefix .. ':presumedUntil', id)
  end
end

-- Keeps money in place for a call whose cost is not known: `origin` is swept or rest.
local function presume(id, origin, lease, keepUntil)
  redis.call('HSET', prefix .. ':presumed', id, origin .. '\n' .. lease)
  redis.call('ZADD', prefix .. ':presumedUntil', keepUntil, id)
end

-- What a late reserve meets, and what makes settle and release idempotent.
local function entomb(id, endedFor)
  redis.call('SET', prefix .. ':ended:' .. id, '', 'PX', endedFor)
end

-- Numbers a settle or release. It is done in a lost ledger too (money is never turned away), but the loss is noticed.
local function conclude(incarnation, epoch, seen)
  local author = '@' .. incarnation
  local state = redis.call('HMGET', ledger, 'epoch', 'lost', 'sequence', author)
  lost(state, epoch, seen)
  return number(state, author)
end
