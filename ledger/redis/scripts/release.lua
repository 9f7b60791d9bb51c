#!lua flags=allow-oom
-- Gives a reservation back: it was never sent, or answered with an error status.
-- ARGV: incarnation, epoch, line, seen, owner (the incarnation that reserved), id.
local owner, id = ARGV[5], ARGV[6]

local standing, lease = find(owner, id)
-- Also for an id that is not known yet: its reserve may still be on its way.
entomb(id, TOMBSTONE_MS)
if not lease then return absent(standing) end
-- The log has heard of it.
if standing ~= 'open' then append(decidedRecord(id, '0'), lease) end
replace(lease, '0', '0', '0')
forget(standing, owner, id)
return { standing == 'open' and 'settled' or 'corrected', conclude() }
