#!lua flags=allow-oom
-- Turns up to `chunk` leases of one silent incarnation into presumed ones. Frees no money: what was committed becomes
-- certain. Returns how many, and 1 where there is more to do.
-- ARGV: lease (ms), chunk.
local beats, now, chunk = prefix .. ':beats', clock(), tonumber(ARGV[2])

-- Presumed money of periods whose counters are gone.
local past = redis.call('ZRANGEBYSCORE', prefix .. ':presumedUntil', '-inf', string.format('%.0f', now), 'LIMIT', 0, chunk)
for _, id in ipairs(past) do
  redis.call('ZREM', prefix .. ':presumedUntil', id)
  redis.call('HDEL', prefix .. ':presumed', id)
end

if now < tonumber(redis.call('HGET', ledger, 'sparedUntil') or 0) then return { 0, 0 } end
local limit = string.format('(%.0f', now - ARGV[1])
local incarnation = redis.call('ZRANGEBYSCORE', beats, '-inf', limit, 'LIMIT', 0, 1)[1]
if not incarnation then return { 0, 0 } end

-- From here on it can reserve nothing more.
redis.call('HDEL', ledger, '@' .. incarnation)
redis.call('HDEL', prefix .. ':reports', incarnation)
local open = prefix .. ':open:' .. incarnation
local leases = redis.call('HRANDFIELD', open, chunk, 'WITHVALUES')
for i = 1, #leases, 2 do
  local id, lease = leases[i], leases[i + 1]
  local worst, keepUntil, counters = parse(lease)
  move(counters, 'f', { worst })
  presume(id, 'swept', lease, keepUntil)
  redis.call('HDEL', open, id)
end
if redis.call('EXISTS', open) == 0 then redis.call('ZREM', beats, incarnation) end
if #leases > 0 then number(redis.call('HMGET', ledger, 'epoch', 'lost', 'sequence')) end
return { #leases / 2, 1 }
