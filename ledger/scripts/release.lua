#!lua flags=allow-oom
-- Gives a reservation back: it was never sent, or answered with an error status.
-- ARGV: incarnation, epoch, seen, owner (the incarnation that reserved), endedFor (ms), id.
local owner, id = ARGV[4], ARGV[6]

local standing, lease = find(owner, id)
-- Also for an id that is not known yet: its reserve may still be on its way.
entomb(id, ARGV[5])
if not lease then return { standing } end

local counters = countersOf(lease)
for _, counter in ipairs(counters) do
  if standing == 'swept' then counter.certain = sum(counter.certain, '-' .. lease[2]) end
  counter.committed = sum(counter.committed, '-' .. lease[2])
end
write(counters)
forget(standing, owner, id)
return { standing == 'open' and 'settled' or 'corrected', conclude(ARGV[1], ARGV[2], ARGV[3]) }
