-- For scripts that reserve: the counters of a reservation. The reservation is in ARGV from some index on: id, workspace,
-- version, worst, maxCommitted (2^63 - 1 - worst), gap, from, until, keepUntil (when the last counter expires); then for each
-- check: counter, value, mode (E, O, X), expireAt (ms), cap, room, totalCap, totalRoom (value and total: '' where there
-- is none), the part of what is left that one workspace may have in flight while another waits (percent, '' for all of it),
-- 1 if the value always has a counter of its own else '', and where there is a gap gapRoom and totalGapRoom.

local function strideOf(gap) return gap == '0' and 10 or 12 end

-- A lease without counters.
local function newLease(now, worst, gap, keepUntil)
  return { 'open', worst, gap, string.format('%d', math.max(now + RETENTION_MS, keepUntil)) }
end

-- `shares` are the levels on which a call is held to its part (reserve.lua), nil where it is to none.
local function load(name, expireAt, shares)
  local key = prefix .. ':counter:' .. name
  local h
  if shares then
    h = call('HMGET', key, 's', 'f', 'c', 'e', shares[1].marks, shares[1].inFlight, shares[2].marks, shares[2].inFlight)
  else
    h = call('HMGET', key, 's', 'f', 'c', 'e')
  end
  return {
    name = name, key = key, expireAt = expireAt, isNew = not h[3],
    spent = h[1] or '0', certain = h[2] or '0', committed = h[3] or '0', exhaustedAt = h[4],
    marks = shares and { h[5] or '', h[7] or '' }, inFlight = shares and { h[6] or '0', h[8] or '0' },
  }
end

-- The counter of a value, or the shared one of its workspace. Once that one holds money, a value without a counter counts
-- there: it may have spent a part of that money, and must not get a limit of its own on top. A value with `own` never counts
-- there: its workspaces would have a limit each.
local function loadValue(pool, value, own, expireAt, workspace, shares)
  local counter = load(pool.name .. '#' .. value, expireAt, shares)
  if counter.isNew and own == '' then
    local sharedValue = sharedValueOf(pool.name, workspace)
    local shared = load(pool.name .. '#' .. sharedValue, expireAt, shares)
    if not shared.isNew or hasAllValues(namespaceOf(workspace), pool.name) then counter, value = shared, sharedValue end
  end
  counter.value, counter.pool = value, pool.name
  return counter
end

local function create(counter, workspace)
  if not counter.isNew then return end
  call('HSETNX', counter.key, 'c', '0')
  if counter.value then
    counter.expireAt = valueExpireAt(counter.expireAt)
    addValue(counter, namespaceOf(workspace))
  else
    call('PEXPIREAT', counter.key, counter.expireAt)
  end
end

-- Adds a lease's worst case and gap to a counter, and the counter to the lease.
local function reserveIn(lease, counter, workspace)
  create(counter, workspace)
  call('HINCRBY', counter.key, 'c', lease[2])
  if lease[3] ~= '0' then call('HINCRBY', counter.key, 'g', lease[3]) end
  if isSpanning(counter.name, workspace) then
    if lease[2] ~= '0' then changeInFlight(counter.key, workspace, lease[2]) end
    lease.workspace = workspace
  end
  lease[#lease + 1] = counter.name
end

-- Reserves the call whose id is ARGV[at] in its counters, whatever their caps: it was sent already. Nil, and nothing
-- written, where a counter would overflow.
local function reserveUncapped(at)
  local workspace, worst, gap, now, counters = ARGV[at + 1], ARGV[at + 3], ARGV[at + 5], clock(), {}
  for i = at + 9, #ARGV, strideOf(gap) do
    local value, expireAt = ARGV[i + 1], ARGV[i + 3]
    if tonumber(expireAt) > now then
      local pool = load(ARGV[i], expireAt)
      local own = value ~= '' and loadValue(pool, value, ARGV[i + 9], expireAt, workspace)
      -- The counter of a value expires before its pool. One made after that would be deleted at once and stay half made.
      if own and not (own.isNew and tonumber(valueExpireAt(expireAt)) <= now) then counters[#counters + 1] = own end
      counters[#counters + 1] = pool
    end
  end
  for _, counter in ipairs(counters) do
    if less(ARGV[at + 4], counter.committed) then return nil end
  end
  local lease = newLease(now, worst, gap, ARGV[at + 8])
  for _, counter in ipairs(counters) do reserveIn(lease, counter, workspace) end
  return lease
end
