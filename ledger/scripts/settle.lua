#!lua flags=allow-oom
-- Replaces a reservation, or what is presumed of it, by its exact cost, and appends the usage record.
-- ARGV: incarnation, epoch, seen, owner (the incarnation that reserved), id, cost, presumed, certain (their sum), record.
local owner, id = ARGV[4], ARGV[5]

local standing, lease = find(owner, id)
if not lease then return { standing } end
local amounts = { cost = ARGV[6], presumed = ARGV[7], certain = ARGV[8] }
if not settle(owner, id, lease, amounts, ARGV[9], ENDED_MS) then return overflow() end
return { standing == 'open' and 'settled' or 'corrected', conclude(ARGV[1], ARGV[2], ARGV[3]) }
