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
  if call('HEXISTS', prefix .. ':presumed', id) == 1 or call('HEXISTS', prefix .. ':booked', id) == 1 then
    return { 'ended' }
  end
  local fence = call('HGET', prefix .. ':fences', workspace)
  if fence and tonumber(ARGV[7]) < tonumber(fence) then return { 'stale', fence } end
  if now < tonumber(ARGV[11]) or now >= tonumber(ARGV[12]) then return { 'wrongPeriod', now } end
  if call('XLEN', prefix .. ':usage') >= tonumber(ARGV[#ARGV]) then return { 'logBehind' } end
end

-- fits, waiting (would fit once calls in flight settle) or spent. Under Observe a call never waits.
local function verdictOf(counter, mode, bound)
  local cap, room = bound.cap, bound.room
  if mode == 'X' or cap == '' then return 'fits' end
  if mode == 'E' and less(counter.spent, cap) and not less(room, counter.committed) then
    local gapFits = gap == '0' or not less(bound.gapRoom, call('HGET', counter.key, 'g') or '0')
    return gapFits and 'fits' or 'waiting'
  end
  if less(counter.certain, cap) and not less(room, counter.certain) then
    return mode == 'E' and 'waiting' or 'fits'
  end
  return 'spent'
end

local checks, answer, isRefused, wouldOverflow = {}, { 'full', now }, false, false
for i = 14, #ARGV - 1, strideOf(gap) do
  local mode, expireAt = ARGV[i + 2], ARGV[i + 3]
  local pool = load(ARGV[i], expireAt)
  local check = { mode = mode, { counter = pool, cap = ARGV[i + 4], room = ARGV[i + 5], gapRoom = ARGV[i + 8] } }
  if ARGV[i + 1] ~= '' then
    check[1].counter = loadValue(pool, ARGV[i + 1], expireAt, workspace)
    check[2] = { counter = pool, cap = ARGV[i + 6], room = ARGV[i + 7], gapRoom = ARGV[i + 9] }
  end
  for position, bound in ipairs(check) do
    local counter = bound.counter
    wouldOverflow = wouldOverflow or less(maxCommitted, counter.committed)
    bound.verdict = verdictOf(counter, mode, bound)
    check.isSpent = check.isSpent or bound.verdict == 'spent'
    if mode == 'E' and bound.verdict ~= 'fits' then
      isRefused = isRefused or bound.verdict == 'spent'
      local n = #answer
      answer[n + 1], answer[n + 2], answer[n + 3] = #checks, position - 1, bound.verdict == 'waiting' and 1 or 0
      answer[n + 4], answer[n + 5] = counter.spent, counter.committed
    end
  end
  checks[#checks + 1] = check
end

-- What each check's own counter had committed before this reservation; for one that was just made the client adds the
-- worst case.
local function withCommitted(kind, sequence)
  local list = { kind, now, sequence }
  for n, check in ipairs(checks) do list[3 + n] = check[1].counter.committed end
  return list
end

-- A retry after a time-out: the call is reserved, whatever has changed since.
if isRepeated then return withCommitted('repeated', state[LAST_CHANGE]) end

local function markExhausted(counter, cap)
  call('HSET', counter.key, 'e', cap)
  if not counter.value then return end
  local exhausted = prefix .. ':exhausted:' .. splitName(counter.name)
  call('SADD', exhausted, counter.value)
  call('PEXPIREAT', exhausted, counter.expireAt)
end

-- A spent budget counts the refusal in its pool and in the value's counter, and marks the counter that is spent. A value
-- that holds no money gets no counter for that.
if isRefused then
  for _, check in ipairs(checks) do
    if check.mode == 'E' and check.isSpent then
      for _, bound in ipairs(check) do
        local counter = bound.counter
        if not (counter.isNew and counter.value) then
          create(counter, workspace)
          call('HINCRBY', counter.key, 'x', 1)
          if bound.verdict == 'spent' then markExhausted(counter, bound.cap) end
        end
      end
    end
  end
end
if #answer > 2 then return answer end
if wouldOverflow then return overflow() end

-- Clears the mark of a counter that was exhausted at this cap or a higher one: a call fits under it again.
local function clearExhausted(counter, cap)
  if not counter.exhaustedAt or cap == '' or less(counter.exhaustedAt, cap) then return end
  call('HDEL', counter.key, 'e')
  if counter.value then call('SREM', prefix .. ':exhausted:' .. splitName(counter.name), counter.value) end
end

local lease = newLease(now, worst, gap, ARGV[13])
for _, check in ipairs(checks) do
  for _, bound in ipairs(check) do
    local counter = bound.counter
    reserveIn(lease, counter, workspace)
    if check.mode == 'E' then clearExhausted(counter, bound.cap) end
    if check.mode == 'O' and check.isSpent then call('HINCRBY', counter.key, 'w', 1) end
  end
end
call('HSET', open, id, cmsgpack.pack(lease))
return withCommitted('admitted', number(state, client, timeline))
