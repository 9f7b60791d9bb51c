#!lua flags=allow-oom
-- Settles a call that was sent without an answer of the ledger, whatever the caps of its counters.
-- ARGV: incarnation, epoch, timeline, last change, holder, cost, presumed, certain (their sum), 1 if what is presumed is
-- released by itself else 0, record ('' where the cost is not known), the reservation (shared/reservation-counters.lua).
local holder, record, id = ARGV[5], ARGV[10], ARGV[11]

-- Any incarnation may have reserved it: the process that settles may be another one.
local status, lease = find(holder, id)
for _, incarnation in ipairs(call('ZRANGE', prefix .. ':beats', 0, -1)) do
  if status ~= 'unknown' then break end
  local packed = call('HGET', prefix .. ':open:' .. incarnation, id)
  if packed then holder, status, lease = incarnation, 'open', cmsgpack.unpack(packed) end
end
if status == 'ended' then return withoutLease(status) end

local answer = lease and status ~= 'open' and 'corrected' or 'settled'
lease = lease or reserveUncapped(11)
if not lease then return overflow() end
if record == '' then
  -- It is presumed or booked already.
  if lease[1] ~= 'open' then return withoutLease('ended') end
  deleteLease('open', holder, id)
  sweepLease(id, lease)
else
  local amounts = { cost = ARGV[6], presumed = ARGV[7], certain = ARGV[8], releases = ARGV[9] }
  if not settle(holder, id, lease, amounts, record, RETENTION_MS) then return overflow() end
end
return { answer, numberChange() }
