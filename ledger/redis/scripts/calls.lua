-- For scripts that end calls: what a lease is and how its money moves.

-- a + b, exactly; only b may be negative, and the sum never is. Two limbs of twelve digits hold more than 64 bits.
local function sum(a, b)
  if #a < 16 and #b < 16 then return string.format('%d', a + b) end
  local sign = string.byte(b) == 45 and -1 or 1
  if sign < 0 then b = string.sub(b, 2) end
  local high = (tonumber(string.sub(a, 1, -13)) or 0) + sign * (tonumber(string.sub(b, 1, -13)) or 0)
  local low = string.sub(a, -12) + sign * string.sub(b, -12)
  if low < 0 then high, low = high - 1, low + 1e12 end
  if low >= 1e12 then high, low = high + 1, low - 1e12 end
  if high == 0 then return string.format('%d', low) end
  return string.format('%d%012d', high, low)
end

-- a - b, exactly; neither is negative, the difference may be.
local function difference(a, b)
  if less(a, b) then return '-' .. sum(b, '-' .. a) end
  return sum(a, '-' .. b)
end

-- A lease is a packed list: open, swept, rest or booked; worst case; gap; when it may be forgotten (ms); then the true
-- names of the counters that hold it. `countersOf` reads them; one that has expired since stays away, for its period
-- ended days ago.
local NAMES = 5

local function countersOf(lease)
  local counters = {}
  for i = NAMES, #lease do
    local key = prefix .. ':counter:' .. lease[i]
    local h = call('HMGET', key, 's', 'f', 'c', 'n')
    if h[3] then
      counters[#counters + 1] = {
        name = lease[i], key = key, spent = h[1] or '0', certain = h[2] or '0', committed = h[3], requests = h[4] or '0',
      }
    end
  end
  return counters
end

-- Moves the sums of a lease's counters by signed changes. False, and nothing written, where one cannot be held.
local function move(lease, spent, certain, committed, requests)
  local counters = countersOf(lease)
  for _, counter in ipairs(counters) do
    counter.committed = sum(counter.committed, committed)
    if less(MAX_NANO, counter.committed) then return false end
  end
  for _, counter in ipairs(counters) do
    local s, f, n = sum(counter.spent, spent), sum(counter.certain, certain), sum(counter.requests, requests)
    call('HSET', counter.key, 's', s, 'f', f, 'c', counter.committed, 'n', n)
    local mark = spent ~= '0' and string.find(counter.name, '#', 1, true)
    if mark then
      local values = prefix .. ':values:' .. string.sub(counter.name, 1, mark - 1)
      call('ZINCRBY', values, spent, string.sub(counter.name, mark + 1))
    end
  end
  return true
end

-- Puts `cost` and `certain` (what stays presumed is in it) in place of all that a lease holds: that is certain already
-- where it was swept, and spent where it was booked.
local function replace(lease, cost, certain, requests)
  local standing, worst = lease[1], lease[2]
  local change = difference(certain, worst)
  local spentChange = standing == 'booked' and difference(cost, worst) or cost
  if not move(lease, spentChange, standing == 'open' and certain or change, change, requests) then return false end
  if lease[3] ~= '0' then
    for _, counter in ipairs(countersOf(lease)) do call('HINCRBY', counter.key, 'g', '-' .. lease[3]) end
    lease[3] = '0'
  end
  return true
end

local function overflow()
  return redis.error_reply('OVERFLOW a counter cannot hold this amount')
end

-- Where a call stands: open, swept, booked, ended or unknown; and its lease.
local function find(incarnation, id)
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if not packed then
    if call('EXISTS', prefix .. ':ended:' .. id) == 1 then return 'ended' end
    packed = call('HGET', prefix .. ':presumed', id) or call('HGET', prefix .. ':booked', id)
    if not packed then return 'unknown' end
  end
  local lease = cmsgpack.unpack(packed)
  if lease[1] == 'rest' then return 'ended' end
  return lease[1], lease
end

local function forget(standing, incarnation, id)
  if standing == 'open' then
    call('HDEL', prefix .. ':open:' .. incarnation, id)
  else
    call('HDEL', prefix .. ':presumed', id)
    call('HDEL', prefix .. ':booked', id)
    call('ZREM', prefix .. ':presumedSince', id)
    call('ZREM', prefix .. ':presumedUntil', id)
  end
end

-- Appends a record to the usage stream, with where it is booked.
local function append(record, lease)
  call('XADD', prefix .. ':usage', '*', 'record', record, 'booked', table.concat(lease, '\n', 4))
end

-- A record of a call whose cost nobody knows.
local function presumedRecord(id, worst)
  return cjson.encode({ [FIELD_ID] = id, [FIELD_STATE] = STATE_PRESUMED, [FIELD_WORST] = worst })
end

-- Keeps an amount in place for a call whose cost is not known: all of a swept lease, or the rest of a settle.
local function presume(id, lease, origin, amount)
  lease[1], lease[2] = origin, amount
  call('HSET', prefix .. ':presumed', id, cmsgpack.pack(lease))
  call('ZADD', prefix .. ':presumedSince', clock(), id)
  call('ZADD', prefix .. ':presumedUntil', lease[4], id)
  append(presumedRecord(origin == 'rest' and id .. '/rest' or id, amount), lease)
end

-- What a late reserve meets, and what makes settle and release idempotent.
local function entomb(id, endedFor)
  call('SET', prefix .. ':ended:' .. id, '', 'PX', endedFor)
end

-- Numbers what a caller did: ARGV begins with incarnation, epoch, line, seen. It is done in a lost ledger too (money is
-- never turned away), but what the caller misses is noticed before it gets a higher number.
local function conclude()
  local author, line = '@' .. ARGV[1], ARGV[3]
  local state = call('HMGET', ledger, 'epoch', 'sequence', author, 'line')
  if state[EPOCH] == ARGV[2] and misses(state, author, line, ARGV[4]) then recover(state, run()) end
  return number(state, author, line)
end

-- The answer where there is no lease. A call that is not known may be one that the ledger has lost, unless the caller
-- has joined its line.
local function absent(standing)
  local author, line = '@' .. ARGV[1], ARGV[3]
  local state = stateOf(author)
  local isLost = lost(state, ARGV[2])
  if standing ~= 'unknown' then return { standing, not isLost and state[LINE] == line and lastOf(state, author) } end
  if not isLost then watch(state, author, line, ARGV[4]) end
  return { not isLost and state[LINE] == line and 'unknown' or 'astray' }
end

-- Settles the call of a lease; `endedFor` is how long that is remembered (ms). False where it cannot be held.
local function settle(owner, id, lease, amounts, record, endedFor)
  local standing = lease[1]
  if not replace(lease, amounts.cost, amounts.certain, '1') then return false end
  forget(standing, owner, id)
  entomb(id, endedFor)
  append(record, lease)
  if amounts.presumed ~= '0' then presume(id, lease, 'rest', amounts.presumed) end
  return true
end
