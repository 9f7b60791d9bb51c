-- For scripts that settle, release or presume calls: what a lease is and how its money moves.

-- A lease is a list, stored with cmsgpack: status (open, swept, rest or booked); worst case; gap; when its last counter
-- expires (ms); then the full names of its counters. `rest` is what a settle left presumed. A lease with a counter of a
-- spanning budget has `workspace`. `countersOf` reads the counters for a signed change of what is committed; one that has
-- expired is not created again, since its period ended days ago.
local NAMES = 5

-- When the counter of a value would expire that was dropped while it held nothing; nil where it has expired itself.
local function droppedUntil(name)
  local pool, value = splitName(name)
  local poolExpireAt = value and call('PEXPIRETIME', prefix .. ':counter:' .. pool) or -2
  if poolExpireAt < 0 then return nil end
  local expireAt = valueExpireAt(poolExpireAt)
  return tonumber(expireAt) > clock() and expireAt
end

local function countersOf(lease, change)
  local counters, isLess, workspace = {}, string.byte(change) == 45, lease.workspace
  -- The fields of what the workspace's namespace and the workspace have in flight.
  local fields = workspace and { 'r:' .. namespaceOf(workspace), 'r:' .. workspace }
  for i = NAMES, #lease do
    local key = prefix .. ':counter:' .. lease[i]
    local shared, h = fields and isSpanning(lease[i], workspace) and fields, nil
    if shared then
      h = call('HMGET', key, 's', 'f', 'c', 'n', shared[1], shared[2])
    else
      h = call('HMGET', key, 's', 'f', 'c', 'n')
    end
    local expireAt = not h[3] and not isLess and droppedUntil(lease[i])
    if h[3] or expireAt then
      counters[#counters + 1] = {
        name = lease[i], key = key, isNew = not h[3], expireAt = expireAt, shared = shared,
        spent = h[1] or '0', certain = h[2] or '0', committed = h[3] or '0', requests = h[4] or '0',
        ofNamespace = shared and h[5] or '0', ofWorkspace = shared and h[6] or '0',
      }
    end
  end
  return counters
end

-- Writes the sums of a counter that workspaces share, with what this workspace and its namespace have in flight.
local function writeShared(counter, inFlight)
  local namespace, workspace = counter.shared[1], counter.shared[2]
  local ofNamespace = inFlightAfter(counter.ofNamespace, inFlight)
  local ofWorkspace = inFlightAfter(counter.ofWorkspace, inFlight)
  call('HSET', counter.key, 's', counter.spent, 'f', counter.certain, 'c', counter.committed, 'n', counter.requests,
    namespace, ofNamespace, workspace, ofWorkspace)
  -- What is in flight in a namespace is no less than what is in one of its workspaces.
  if ofNamespace == '0' then
    call('HDEL', counter.key, namespace, workspace)
  elseif ofWorkspace == '0' then
    call('HDEL', counter.key, workspace)
  end
end

-- Whether a counter without money holds neither gaps nor what people have corrected.
local function isSettled(counter)
  local gaps, corrected = unpack(call('HMGET', counter.key, 'g', 'k'))
  return (gaps or '0') == '0' and not corrected
end

-- Writes the sums of a counter of a lease, after a signed change of what is spent and in flight. The counter of a value
-- stays only while it holds money, or what people have corrected.
local function write(counter, workspace, spent, inFlight)
  local pool, value = splitName(counter.name)
  if value and counter.committed == '0' and isSettled(counter) then
    if not counter.isNew then dropValue(counter, pool, value) end
    return
  end
  if counter.shared and inFlight ~= '0' then
    writeShared(counter, inFlight)
  else
    call('HSET', counter.key, 's', counter.spent, 'f', counter.certain, 'c', counter.committed, 'n', counter.requests)
  end
  if counter.isNew then addValue(counter, namespaceOf(workspace or pool)) end
  if value and spent ~= '0' then call('ZADD', prefix .. ':values:' .. pool, counter.spent, value) end
end

-- How much less than a signed change takes out of it is spent: people have corrected more than is left then.
local function missingFrom(spent, change)
  if string.byte(change) ~= 45 then return '0' end
  local taken = string.sub(change, 2)
  return less(spent, taken) and difference(taken, spent) or '0'
end

-- So much less is corrected then. The sums are raised in memory only: `move` writes them.
local function giveBack(counter, missing)
  counter.spent, counter.certain = sum(counter.spent, missing), sum(counter.certain, missing)
  counter.committed, counter.missing = sum(counter.committed, missing), missing
end

-- Changes the sums of a lease's counters by signed amounts, and takes `gap` out of their gaps. False, and nothing written,
-- where one would overflow.
local function move(lease, spent, certain, committed, requests, gap)
  local counters = countersOf(lease, committed)
  for _, counter in ipairs(counters) do
    local missing = missingFrom(counter.spent, spent)
    if missing ~= '0' then giveBack(counter, missing) end
    counter.committed = sum(counter.committed, committed)
    if less(MAX_NANO, counter.committed) then return false end
  end
  local inFlight = lease.workspace and subtract(committed, certain)
  for _, counter in ipairs(counters) do
    if counter.missing then
      writeCorrected(counter.key, subtract(call('HGET', counter.key, 'k') or '0', counter.missing))
    end
    counter.spent, counter.certain = sum(counter.spent, spent), sum(counter.certain, certain)
    counter.requests = sum(counter.requests, requests)
    if gap and gap ~= '0' and not counter.isNew then call('HINCRBY', counter.key, 'g', '-' .. gap) end
    write(counter, lease.workspace, spent, inFlight)
  end
  return true
end

-- Replaces all that a lease reserves by `cost` and `certain` (cost and what stays presumed). A swept lease is certain
-- already, and a booked one spent.
local function replace(lease, cost, certain, requests)
  local status, worst = lease[1], lease[2]
  local change = difference(certain, worst)
  local spentChange = status == 'booked' and difference(cost, worst) or cost
  local certainChange = status == 'open' and certain or change
  if not move(lease, spentChange, certainChange, change, requests, lease[3]) then return false end
  lease[3] = '0'
  return true
end

-- The status of a call: open, swept, booked, ended or unknown; and its lease. A call with only a rest has ended.
local function find(incarnation, id)
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if not packed then
    if call('EXISTS', prefix .. ':tombstone:' .. id) == 1 then return 'ended' end
    packed = call('HGET', prefix .. ':presumed', id) or call('HGET', prefix .. ':booked', id)
    if not packed then return 'unknown' end
  end
  local lease = cmsgpack.unpack(packed)
  if lease[1] == 'rest' then return 'ended' end
  return lease[1], lease
end

local function deleteLease(status, incarnation, id)
  if status == 'open' then
    call('HDEL', prefix .. ':open:' .. incarnation, id)
  else
    call('HDEL', prefix .. ':presumed', id)
    call('HDEL', prefix .. ':booked', id)
    call('ZREM', prefix .. ':presumedSince', id)
    call('ZREM', prefix .. ':presumedUntil', id)
    call('ZREM', prefix .. ':presumedRelease', id)
  end
end

-- Appends a record to the usage stream, with when its counters expire and their names.
local function append(record, lease)
  call('XADD', prefix .. ':usage', '*', 'record', record, 'counters', table.concat(lease, '\n', 4))
end

-- The record of a call whose cost is not known.
local function presumedRecord(id, worst)
  return cjson.encode({ [FIELD_ID] = id, [FIELD_STATE] = STATE_PRESUMED, [FIELD_WORST] = worst })
end

-- Makes an amount presumed: all of a swept lease, or the rest of a settle (`status`).
local function presume(id, lease, status, amount)
  lease[1], lease[2] = status, amount
  call('HSET', prefix .. ':presumed', id, cmsgpack.pack(lease))
  call('ZADD', prefix .. ':presumedSince', clock(), id)
  call('ZADD', prefix .. ':presumedUntil', lease[4], id)
  append(presumedRecord(status == 'rest' and id .. '/rest' or id, amount), lease)
end

-- Makes all that an open lease reserves presumed. Its gap stays: the call may have cost more than was reserved for it.
local function sweepLease(id, lease)
  local gap = lease[3]
  lease[3] = '0'
  replace(lease, '0', lease[2], '0')
  lease[3] = gap
  presume(id, lease, 'swept', lease[2])
end

-- Turns a presumed or booked lease back into an open one.
local function reopen(lease)
  local back = difference('0', lease[2])
  move(lease, lease[1] == 'booked' and back or '0', lease[1] ~= 'open' and back or '0', '0', '0')
  lease[1] = 'open'
end

-- The record of a call that was resolved without its cost: booked at its worst case, or released.
local function resolvedRecord(id, cost, worst)
  local state = cost == '0' and STATE_RELEASED or STATE_BOOKED
  return cjson.encode({
    [FIELD_ID] = id, [FIELD_STATE] = state, [FIELD_COST] = cost, [FIELD_WORST] = worst, [FIELD_ESTIMATED] = true,
  })
end

-- Resolves presumed money at `cost`: all of it, or nothing. A late settle still finds a call of which all was presumed, and
-- corrects it.
local function resolve(id, lease, cost)
  local status, worst = lease[1], lease[2]
  replace(lease, cost, cost, '0')
  deleteLease(status, '', id)
  append(resolvedRecord(status == 'rest' and id .. '/rest' or id, cost, worst), lease)
  if status ~= 'swept' then return end
  lease[1], lease[2] = 'booked', cost
  call('HSET', prefix .. ':booked', id, cmsgpack.pack(lease))
  call('ZADD', prefix .. ':presumedUntil', lease[4], id)
end

-- A late reserve meets the tombstone, and a repeated settle or release changes nothing.
local function writeTombstone(id, ttl)
  call('SET', prefix .. ':tombstone:' .. id, '', 'PX', ttl)
end

-- Numbers the client's change: ARGV begins with incarnation, epoch, timeline, last change. A change is made in a lost
-- ledger too, since money is never turned away; but a change that the ledger lacks is noticed before the client gets a
-- higher number.
local function numberChange()
  local client, timeline = '@' .. ARGV[1], ARGV[3]
  local state = call('HMGET', ledger, 'epoch', 'sequence', client, 'timeline')
  if state[EPOCH] == ARGV[2] and lacksChange(state, client, timeline, ARGV[4]) then
    beginRecovery(state, serverRunId())
  end
  return number(state, client, timeline)
end

-- The answer where there is no lease. The ledger may have lost an unknown call, unless the client has joined its
-- timeline.
local function withoutLease(status)
  local client, timeline = '@' .. ARGV[1], ARGV[3]
  local state = stateOf(client)
  local isLost = lostReason(state, ARGV[2])
  if status ~= 'unknown' then
    return { status, not isLost and state[TIMELINE] == timeline and lastChangeOf(state, client) }
  end
  if not isLost then detectLoss(state, client, timeline, ARGV[4]) end
  return { not isLost and state[TIMELINE] == timeline and 'unknown' or 'maybeLost' }
end

-- Settles the call of a lease; `ttl` is how long its tombstone stays (ms). False where a counter would overflow.
local function settle(holder, id, lease, amounts, record, ttl)
  local status = lease[1]
  if not replace(lease, amounts.cost, amounts.certain, '1') then return false end
  deleteLease(status, holder, id)
  writeTombstone(id, ttl)
  append(record, lease)
  if amounts.presumed ~= '0' then
    presume(id, lease, 'rest', amounts.presumed)
    if amounts.releases == '1' then call('ZADD', prefix .. ':presumedRelease', clock() + RELEASE_AFTER_MS, id) end
  end
  return true
end
