#!lua flags=allow-oom
-- Gives a reservation back: it was never sent, or answered with an error status.
-- ARGV: incarnation, epoch, seen, owner (the incarnation that reserved), endedFor (ms), id.
local owner, id = ARGV[4], ARGV[6]

local standing, lease = find(owner, id)
-- Also for an id that is not known yet: its reserve may still be on its way.
entomb(id, ARGV[5])
if not lease then return { standing } end

local worst, _, counters = parse(lease)
local steps = replacement(worst, '0')
if standing == 'presumed' then move(counters, 'f', steps) end
move(counters, 'c', steps)
forget(standing, owner, id)
return { standing == 'open' and 'settled' or 'corrected', conclude(ARGV[1], ARGV[2], ARGV[3]) }
