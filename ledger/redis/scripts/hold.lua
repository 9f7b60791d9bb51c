#!lua flags=allow-oom
-- Holds a call that was reserved before the ledger lost it. Looks at no cap.
-- ARGV: incarnation, epoch, line, seen, owner, the reservation.
local id = ARGV[6]
-- Told before, and the answer did not come.
if call('HEXISTS', prefix .. ':open:' .. ARGV[1], id) == 1 then return { 'held' } end
local standing = find(ARGV[5], id)
if standing ~= 'unknown' then return { standing } end
local lease = charge(6)
if not lease then return overflow() end
call('HSET', prefix .. ':open:' .. ARGV[1], id, cmsgpack.pack(lease))
return { 'held', conclude() }
