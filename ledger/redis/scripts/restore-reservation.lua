#!lua flags=allow-oom
-- Reserves again a call whose reservation the ledger has lost, whatever the caps of its counters.
-- ARGV: incarnation, epoch, timeline, last change, holder, the reservation (shared/reservation-counters.lua).
local id = ARGV[6]
-- It was replayed before, and the answer was lost.
if call('HEXISTS', prefix .. ':open:' .. ARGV[1], id) == 1 then return { 'restored' } end
local status = find(ARGV[5], id)
if status ~= 'unknown' then return { status } end
local lease = reserveUncapped(6)
if not lease then return overflow() end
call('HSET', prefix .. ':open:' .. ARGV[1], id, cmsgpack.pack(lease))
return { 'restored', numberChange() }
