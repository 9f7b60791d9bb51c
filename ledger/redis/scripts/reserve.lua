#!lua
-- Reserves a call's worst case in every counter that applies to it, or in none: all checks first, then all writes.
-- No allow-oom: a Redis that is full admits nothing more.
-- ARGV: incarnation, epoch, timeline, last change, the reservation (shared/reservation-counters.lua); the last one: how many records
-- the usage stream may hold.
local incarnation, epoch, timeline, id, workspace = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[6]
local worst, maxCommitted, gap = ARGV[8], ARGV[9], ARGV[10]
local open = prefix .. ':open:' .. incarnation
local client = '@' .. incarnation

local state = stateOf(client)
local reason = lostReason(state, epoch)
if reason then return { 'lost', reason } end
detectLoss(state, client, timeline, ARGV[4])
if state[RECOVERING] then return { 'recovering' } end
if not state[LAST_CHANGE] then return { 'unregistered' } end
if state[TIMELINE] ~= timeline then return { 'recovering' } end
if call('EXISTS', prefix .. ':tombstone:' .. id) == 1 then return { 'ended' } end

local now = clock()
local isRepeated = call('HEXISTS', open, id) == 1
if not isRepeated then
  -- It was swept, or settled as an unchecked call: another lease would reserve it twice.
  if call('ZSCORE', prefix .. ':presumedUntil', id) then return { 'ended' } end
  local fences = call('HMGET', prefix .. ':fences', workspace, '')
  local fence = fences[1] or fences[2]
  if fence and tonumber(ARGV[7]) < tonumber(fence) then return { 'stale', fence } end
  if now < tonumber(ARGV[11]) or now >= tonumber(ARGV[12]) then return { 'wrongPeriod', now } end
  if call('XLEN', prefix .. ':usage') >= tonumber(ARGV[#ARGV]) then return { 'logBehind' } end
end

-- The other names of which a call waits.
local function othersWaiting(marks, name)
  local others = {}
  for untilTime, other in string.gmatch(marks, '(%d+) (%S+)') do
    if tonumber(untilTime) > now and other ~= name then others[#others + 1] = untilTime .. ' ' .. other end
  end
  return others
end

-- Notes on a level that a call of this workspace waits for room in the counter, or no longer does.
local function markWaiting(counter, n, isWaiting)
  local level = counter.levels[n]
  local marks = othersWaiting(counter.marks[n], level.name)
  if isWaiting then marks = { string.format('%d %s', now + WAIT_MARK_MS, level.name), marks[1] } end
  if #marks > 0 then
    call('HSET', counter.key, level.marks, table.concat(marks, ' '))
  else
    call('HDEL', counter.key, level.marks)
  end
end

-- Whether there would be more in flight than the part of what is neither spent nor presumed.
local function exceedsShare(bound, inFlight, percent)
  local left = sum(difference(bound.room, bound.counter.certain), worst)
  return less(times(left, tonumber(percent)), times(sum(inFlight, worst), 100))
end

-- In a counter that workspaces share: holds a call back with which its workspace, or its namespace, exceeds its part while
-- another one waits for room, and says on which levels a call that waits for room is noted. One that exceeds the part holds
-- nobody back: two such calls would wait for each other.
local function share(bound, percent)
  local counter = bound.counter
  if bound.verdict == 'waiting' and not counter.isNew then
    bound.marked = {}
    for n = 1, 2 do bound.marked[n] = not exceedsShare(bound, counter.inFlight[n], percent) end
  elseif bound.verdict == 'fits' then
    for n, level in ipairs(counter.levels) do
      local isContended = counter.marks[n] ~= '' and #othersWaiting(counter.marks[n], level.name) > 0
      if isContended and exceedsShare(bound, counter.inFlight[n], percent) then bound.verdict = 'waiting' end
    end
  end
end

-- Whether less is left for a call, with the tolerance, than the counter's settled calls cost on average, exactly. One more
-- is counted, so that a single large call is not taken for what all calls cost: left * (requests + 1) < spent.
local function isBelowMean(counter, room)
  local left = difference(sum(worst, room), counter.certain)
  local requests = tonumber(call('HGET', counter.key, 'n') or 0)
  -- The product has at least so many digits; one that is longer than `times` can take is larger.
  if requests == 0 or #left + #string.format('%d', requests + 1) - 1 > #counter.spent then return false end
  return less(times(left, requests + 1), counter.spent)
end

-- fits, waiting (would fit once calls in flight settle), tooLarge (a mean call would) or spent. Under Observe a call never
-- waits.
local function verdictOf(counter, mode, cap, room, gapRoom)
  if mode == 'X' or cap == '' then return 'fits' end
  if mode == 'E' and less(counter.spent, cap) and not less(room, counter.committed) then
    local gapFits = gap == '0' or not less(gapRoom, call('HGET', counter.key, 'g') or '0')
    return gapFits and 'fits' or 'waiting'
  end
  if not less(counter.certain, cap) then return 'spent' end
  if not less(room, counter.certain) then return mode == 'E' and 'waiting' or 'fits' end
  return isBelowMean(counter, room) and 'spent' or 'tooLarge'
end

-- All bounds: that of each check's own counter, followed where there is one by that of its total. `finals` has for a check
-- (from 0) the verdict that refuses: tooLarge where a bound has that, else spent.
local bounds, finals, isRefused, wouldOverflow, levels = {}, {}, false, false, nil
local answer, admitted = { 'full', now }, { 'admitted', now, '' }

-- Checks one bound; `position` is 0 for the check's own counter and 1 for its total.
local function check(n, position, counter, mode, cap, room, gapRoom, percent)
  local bound = { check = n, mode = mode, counter = counter, cap = cap, room = room, marked = false, verdict = '' }
  bounds[#bounds + 1] = bound
  wouldOverflow = wouldOverflow or less(maxCommitted, counter.committed)
  bound.verdict = verdictOf(counter, mode, cap, room, gapRoom)
  if percent ~= '' and counter.levels and mode == 'E' and cap ~= '' then share(bound, percent) end
  if bound.verdict == 'fits' then return end
  if bound.verdict ~= 'waiting' and finals[n] ~= 'tooLarge' then finals[n] = bound.verdict end
  if mode ~= 'E' then return end
  isRefused = isRefused or bound.verdict ~= 'waiting'
  for _, item in ipairs({ n, position, bound.verdict, counter.spent, counter.certain, counter.committed }) do
    answer[#answer + 1] = item
  end
end

local stride = strideOf(gap)
for i = 14, #ARGV - 1, stride do
  local name, value, mode, expireAt, percent = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 8]
  local n, shares = (i - 14) / stride, nil
  if isSpanning(name, workspace) then
    levels = levels or levelsOf(workspace)
    shares = levels
  end
  local pool = load(name, expireAt, shares)
  local own = value == '' and pool or loadValue(pool, value, ARGV[i + 9], expireAt, workspace, shares)
  check(n, 0, own, mode, ARGV[i + 4], ARGV[i + 5], ARGV[i + 10], percent)
  if own ~= pool then check(n, 1, pool, mode, ARGV[i + 6], ARGV[i + 7], ARGV[i + 11], percent) end
  -- What it had committed before this reservation; the client adds the worst case where it is not repeated.
  admitted[#admitted + 1] = own.committed
end

-- A retry after a time-out: the call is reserved, whatever has changed since.
if isRepeated then
  admitted[1], admitted[3] = 'repeated', state[LAST_CHANGE]
  return admitted
end

local function markExhausted(counter, cap)
  call('HSET', counter.key, 'e', cap)
  if not counter.value then return end
  local exhausted = prefix .. ':exhausted:' .. counter.pool
  call('SADD', exhausted, counter.value)
  call('PEXPIREAT', exhausted, valueExpireAt(counter.expireAt))
end

-- Notes in the pool the worst case of a call that was too large, or in mode Observe would have been.
local function noteTooLarge(bound)
  if finals[bound.check] == 'tooLarge' and not bound.counter.value then call('HSET', bound.counter.key, 'l', worst) end
end

-- A budget that refuses counts the refusal in its pool and in the value's counter, and marks a counter that is spent. A
-- value that holds no money gets no counter for that.
if isRefused then
  for _, bound in ipairs(bounds) do
    local counter = bound.counter
    if bound.mode == 'E' and finals[bound.check] and not (counter.isNew and counter.value) then
      create(counter, workspace)
      call('HINCRBY', counter.key, 'x', 1)
      if bound.verdict == 'spent' then markExhausted(counter, bound.cap) end
      noteTooLarge(bound)
    end
  end
end
if #answer > 2 then
  for _, bound in ipairs(isRefused and {} or bounds) do
    for n, isMarked in ipairs(bound.marked or {}) do
      if isMarked then markWaiting(bound.counter, n, true) end
    end
  end
  return answer
end
if wouldOverflow then return overflow() end

-- Clears the mark of a counter that was exhausted at this cap or a higher one: a call fits under it again.
local function clearExhausted(counter, cap)
  if cap == '' or less(counter.exhaustedAt, cap) then return end
  call('HDEL', counter.key, 'e')
  if counter.value then call('SREM', prefix .. ':exhausted:' .. counter.pool, counter.value) end
end

local lease = newLease(now, worst, gap, ARGV[13])
for _, bound in ipairs(bounds) do
  local counter, mode = bound.counter, bound.mode
  reserveIn(lease, counter, workspace)
  if counter.exhaustedAt and mode == 'E' then clearExhausted(counter, bound.cap) end
  if counter.levels then
    for n, level in ipairs(counter.levels) do
      if string.find(counter.marks[n], ' ' .. level.name, 1, true) then markWaiting(counter, n, false) end
    end
  end
  if mode == 'O' and finals[bound.check] then
    call('HINCRBY', counter.key, 'w', 1)
    noteTooLarge(bound)
  end
end
call('HSET', open, id, cmsgpack.pack(lease))
admitted[3] = number(state, client, timeline)
return admitted
