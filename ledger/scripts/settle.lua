#!lua flags=allow-oom
-- Replaces a reservation, or what is presumed of it, by its exact cost, and appends the usage record.
-- ARGV: incarnation, epoch, seen, owner (the incarnation that reserved), endedFor (ms), id, cost, presumed, certain
-- (their sum), record.
local owner, id = ARGV[4], ARGV[6]
local cost, presumed, certain = ARGV[7], ARGV[8], ARGV[9]

local standing, lease = find(owner, id)
if not lease then return { standing } end
local counters = countersOf(lease)
local change = difference(certain, lease[2])
for _, counter in ipairs(counters) do
  counter.spent = sum(counter.spent, cost)
  -- What was swept is certain already.
  counter.certain = sum(counter.certain, standing == 'open' and certain or change)
  counter.committed = sum(counter.committed, change)
  counter.requests = sum(counter.requests, '1')
  if less(MAX, counter.committed) then return redis.error_reply('OVERFLOW a counter cannot hold this amount') end
end
write(counters)
for _, counter in ipairs(counters) do
  local mark = string.find(counter.name, '#', 1, true)
  if mark then
    call('ZINCRBY', prefix .. ':values:' .. string.sub(counter.name, 1, mark - 1), cost, string.sub(counter.name, mark + 1))
  end
end

forget(standing, owner, id)
entomb(id, ARGV[5])
if presumed ~= '0' then presume(id, lease, 'rest', presumed) end
call('XADD', prefix .. ':usage', '*', 'record', ARGV[10])
return { standing == 'open' and 'settled' or 'corrected', conclude(ARGV[1], ARGV[2], ARGV[3]) }
