#!lua flags=allow-oom
-- Replaces a reservation, or what is presumed of it, by its exact cost, and appends the usage record.
-- ARGV: incarnation, epoch, seen, owner (the incarnation that reserved), endedFor (ms), id, cost, presumed, certain
-- (their sum), ceiling (2^63 - 1 - certain), record.
local owner, id = ARGV[4], ARGV[6]
local cost, presumed, certain, ceiling = ARGV[7], ARGV[8], ARGV[9], ARGV[10]

local standing, lease = find(owner, id)
if not lease then return { standing } end
local worst, keepUntil, counters = parse(lease)
for _, key in ipairs(counters) do
  if less(ceiling, redis.call('HGET', key, 'c')) then
    return redis.error_reply('OVERFLOW a counter cannot hold this amount')
  end
end

-- What was swept is certain already.
local steps = replacement(worst, certain)
move(counters, 's', { cost })
move(counters, 'f', standing == 'open' and { certain } or steps)
move(counters, 'c', steps)
for _, key in ipairs(counters) do
  redis.call('HINCRBY', key, 'n', 1)
  local pool, value = string.match(key, '^.-:counter:([^#]*)#(.*)$')
  if pool then redis.call('ZINCRBY', prefix .. ':values:' .. pool, cost, value) end
end

forget(standing, owner, id)
entomb(id, ARGV[5])
if presumed ~= '0' then
  presume(id, 'rest', presumed .. string.match(lease, '^%d+(.*)$'), keepUntil)
end
redis.call('XADD', prefix .. ':usage', '*', 'record', ARGV[11])
return { standing == 'open' and 'settled' or 'corrected', conclude(ARGV[1], ARGV[2], ARGV[3]) }
