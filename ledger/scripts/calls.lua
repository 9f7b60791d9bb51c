-- For scripts that end calls: what a lease is and how its money moves.

-- The largest amount that a counter holds.
local MAX = '9223372036854775807'

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

-- A lease is a packed list: open, swept or rest; worst case; when it may be forgotten (ms); then the counters it holds.
-- `countersOf` reads them; one that has expired since stays away, for its period ended days ago.
local function countersOf(lease)
  local counters = {}
  for i = 4, #lease do
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

-- Writes the sums of counters back.
local function write(counters)
  for _, counter in ipairs(counters) do
    call('HSET', counter.key, 's', counter.spent, 'f', counter.certain, 'c', counter.committed, 'n', counter.requests)
  end
end

-- Where a call stands: open, swept, ended or unknown; and its lease.
local function find(incarnation, id)
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if not packed then
    if call('EXISTS', prefix .. ':ended:' .. id) == 1 then return 'ended' end
    packed = call('HGET', prefix .. ':presumed', id)
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
    call('ZREM', prefix .. ':presumedUntil', id)
  end
end

-- Keeps an amount in place for a call whose cost is not known: all of a swept lease, or the rest of a settle.
local function presume(id, lease, origin, amount)
  lease[1], lease[2] = origin, amount
  call('HSET', prefix .. ':presumed', id, cmsgpack.pack(lease))
  call('ZADD', prefix .. ':presumedUntil', lease[3], id)
end

-- What a late reserve meets, and what makes settle and release idempotent.
local function entomb(id, endedFor)
  call('SET', prefix .. ':ended:' .. id, '', 'PX', endedFor)
end

-- Numbers a settle or release. It is done in a lost ledger too (money is never turned away), but the loss is noticed.
local function conclude(incarnation, epoch, seen)
  local author = '@' .. incarnation
  local state = call('HMGET', ledger, 'epoch', 'lost', 'sequence', author)
  lost(state, epoch, seen)
  return number(state, author)
end
