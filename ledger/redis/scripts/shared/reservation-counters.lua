-- For scripts that reserve: the counters of a reservation. The reservation is in ARGV from some index on: id, workspace,
-- version, worst, maxCommitted (2^63 - 1 - worst), gap, from, until, keepUntil (when the last counter expires); then for each
-- check: counter, value, mode (E, O, X), expireAt (ms), cap, room, totalCap, totalRoom (value and total: '' where there
-- is none), the part of what is left that one workspace may have in flight while another waits (percent, '' for all of it),
-- 1 if the value always has a counter of its own, R if it is that of a run, else '', and where there is a gap gapRoom and totalGapRoom.

local function strideOf(gap) return gap == '0' and 10 or 12 end

-- A lease without counters.
local function newLease(now, worst, gap, keepUntil)
  return { 'open', worst, gap, string.format('%d', math.max(now + RETENTION_MS, keepUntil)) }
end

-- The levels on which workspaces share a spanning budget: namespaces with each other, and the workspaces of one namespace.
-- `inFlight` is the field with what the name has in flight; `marks` that with the last two names of that level of which a
-- call waits for room, latest first, each with until when that is believed. Two suffice to say for any name whether another
-- one waits.
local function levelsOf(workspace)
  local namespace = namespaceOf(workspace)
  return {
    { name = namespace, marks = 'm', inFlight = 'r:' .. namespace },
    { name = workspace, marks = 'm:' .. namespace, inFlight = 'r:' .. workspace },
  }
end

-- `levels` for a counter of a spanning budget, else nil.
local function load(name, expireAt, levels)
  local key = prefix .. ':counter:' .. name
  local h, marks, inFlight
  if levels then
    local first, second = levels[1], levels[2]
    h = call('HMGET', key, 's', 'f', 'c', 'e', first.marks, first.inFlight, second.marks, second.inFlight)
    marks, inFlight = { h[5] or '', h[7] or '' }, { h[6] or '0', h[8] or '0' }
  else
    h = call('HMGET', key, 's', 'f', 'c', 'e')
  end
  return {
    name = name, key = key, expireAt = expireAt, isNew = not h[3], value = nil, pool = nil,
    spent = h[1] or '0', certain = h[2] or '0', committed = h[3] or '0', exhaustedAt = h[4],
    levels = levels, marks = marks, inFlight = inFlight,
  }
end

-- The counter of a value, or the shared one of its workspace. Once that one holds money, a value without a counter counts
-- there: it may have spent a part of that money, and must not get a limit of its own on top. A value of kind 1 never counts
-- there: its workspaces would have a limit each.
local function loadValue(pool, value, kind, expireAt, workspace, levels)
  local counter = load(pool.name .. '#' .. value, expireAt, levels)
  if counter.isNew and kind ~= '1' then
    local sharedValue = sharedValueOf(pool.name, workspace)
    local shared = load(pool.name .. '#' .. sharedValue, expireAt, levels)
    local most = kind == 'R' and MAX_NAMESPACE_VALUES or MAX_VALUES
    if not shared.isNew or hasAllValues(namespaceOf(workspace), pool.name, most) then
      counter, value = shared, sharedValue
    end
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
  local worst, levels = lease[2], counter.levels
  if not levels then
    call('HINCRBY', counter.key, 'c', worst)
  else
    lease.workspace = workspace
    if worst ~= '0' then
      local ofNamespace, ofWorkspace = sum(counter.inFlight[1], worst), sum(counter.inFlight[2], worst)
      local committed = sum(counter.committed, worst)
      call('HSET', counter.key, 'c', committed, levels[1].inFlight, ofNamespace, levels[2].inFlight, ofWorkspace)
    end
  end
  if lease[3] ~= '0' then call('HINCRBY', counter.key, 'g', lease[3]) end
  lease[#lease + 1] = counter.name
end

-- Reserves the call whose id is ARGV[at] in its counters, whatever their caps: it was sent already. Nil, and nothing
-- written, where a counter would overflow.
local function reserveUncapped(at)
  local workspace, worst, gap, now, counters = ARGV[at + 1], ARGV[at + 3], ARGV[at + 5], clock(), {}
  for i = at + 9, #ARGV, strideOf(gap) do
    local value, expireAt = ARGV[i + 1], ARGV[i + 3]
    if tonumber(expireAt) > now then
      local levels = isSpanning(ARGV[i], workspace) and levelsOf(workspace) or nil
      local pool = load(ARGV[i], expireAt, levels)
      local own = value ~= '' and loadValue(pool, value, ARGV[i + 9], expireAt, workspace, levels)
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
