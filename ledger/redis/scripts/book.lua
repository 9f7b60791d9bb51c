#!lua flags=allow-oom
-- Books a call that was sent without an answer of the ledger. Looks at no cap.
-- ARGV: incarnation, epoch, line, seen, owner, cost, presumed, certain (their sum), record ('': nobody knows what it
-- cost), the reservation.
local owner, record, id = ARGV[5], ARGV[9], ARGV[10]

-- Whoever reserved it: the process that books may not be the one that did.
local standing, lease = find(owner, id)
for _, incarnation in ipairs(call('ZRANGE', prefix .. ':beats', 0, -1)) do
  if standing ~= 'unknown' then break end
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if packed then owner, standing, lease = incarnation, 'open', cmsgpack.unpack(packed) end
end
if standing == 'ended' then return absent(standing) end

local answer = lease and standing ~= 'open' and 'corrected' or 'settled'
lease = lease or charge(10)
if not lease then return overflow() end
if record == '' then
  -- Presumed already, or booked.
  if lease[1] ~= 'open' then return absent('ended') end
  forget('open', owner, id)
  sweep(id, lease)
else
  local amounts = { cost = ARGV[6], presumed = ARGV[7], certain = ARGV[8] }
  if not settle(owner, id, lease, amounts, record, RETENTION_MS) then return overflow() end
end
return { answer, conclude() }
