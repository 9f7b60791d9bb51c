#!lua flags=allow-oom
-- Releases a reservation: its call was never sent, or was answered with an error status.
-- ARGV: incarnation, epoch, timeline, last change, holder (the incarnation that reserved), id.
local holder, id = ARGV[5], ARGV[6]

local status, lease = find(holder, id)
-- Also for an unknown id: its reserve may still be under way.
writeTombstone(id, TOMBSTONE_MS)
if not lease then return withoutLease(status) end
-- The usage log has a presumed record of it.
if status ~= 'open' then append(resolvedRecord(id, '0', lease[2]), lease) end
replace(lease, '0', '0', '0')
deleteLease(status, holder, id)
return { status == 'open' and 'settled' or 'corrected', numberChange() }
