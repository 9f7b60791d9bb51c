#!lua flags=allow-oom
-- Replaces a reservation, or what is presumed of it, by its exact cost, and appends the usage record.
-- ARGV: incarnation, epoch, timeline, last change, holder (the incarnation that reserved), id, cost, presumed, certain
-- (their sum), 1 if what is presumed is released by itself else 0, record.
local holder, id = ARGV[5], ARGV[6]

local status, lease = find(holder, id)
if not lease then return withoutLease(status) end
local amounts = { cost = ARGV[7], presumed = ARGV[8], certain = ARGV[9], releases = ARGV[10] }
if not settle(holder, id, lease, amounts, ARGV[11], TOMBSTONE_MS) then return overflow() end
return { status == 'open' and 'settled' or 'corrected', numberChange() }
