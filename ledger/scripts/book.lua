#!lua flags=allow-oom
-- Books a call that was sent without an answer of the ledger. Looks at no cap.
-- ARGV: incarnation, epoch, seen, owner, cost, presumed, certain (their sum), record ('': nobody knows what it cost),
-- then the reservation, as for reserve.
local owner, record = ARGV[4], ARGV[8]
local id, worst = ARGV[9], ARGV[12]

-- Whoever reserved it: the process that books may not be the one that did.
local standing, lease = find(owner, id)
for _, incarnation in ipairs(call('ZRANGE', prefix .. ':beats', 0, -1)) do
  if standing ~= 'unknown' then break end
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if packed then owner, standing, lease = incarnation, 'open', cmsgpack.unpack(packed) end
end
if standing == 'ended' then return { 'ended' } end

local function charge()
  local now, counters = clock(), {}
  for i = FIRST_CHECK + 5, #ARGV, strideOf(ARGV[14]) do
    local expireAt = ARGV[i + 3]
    if tonumber(expireAt) > now then
      local pool = load(ARGV[i], expireAt)
      if ARGV[i + 1] ~= '' then counters[#counters + 1] = loadValue(pool, ARGV[i + 1], expireAt) end
      counters[#counters + 1] = pool
    end
  end
  for _, counter in ipairs(counters) do
    if less(ARGV[13], counter.committed) then return false end
  end
  lease = leaseOf(now, worst, ARGV[14], ARGV[17])
  for _, counter in ipairs(counters) do hold(lease, counter) end
  return true
end

local answer = lease and standing ~= 'open' and 'corrected' or 'settled'
if not lease and not charge() then return overflow() end
if record == '' then
  -- Presumed already, or booked.
  if lease[1] ~= 'open' then return { 'ended' } end
  forget('open', owner, id)
  sweep(id, lease)
else
  local amounts = { cost = ARGV[5], presumed = ARGV[6], certain = ARGV[7] }
  if not settle(owner, id, lease, amounts, record, RETENTION_MS) then return overflow() end
end
return { answer, conclude(ARGV[1], ARGV[2], ARGV[3]) }
