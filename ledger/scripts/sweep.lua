#!lua flags=allow-oom
-- Turns up to `chunk` leases of one silent incarnation into presumed ones. Frees no money: what was committed becomes
-- certain. Returns how many, and 1 where there is more to do.
-- ARGV: lease (ms), chunk.
local beats, now, chunk = prefix .. ':beats', clock(), tonumber(ARGV[2])

-- Presumed money of periods whose counters are gone.
local past = call('ZRANGEBYSCORE', prefix .. ':presumedUntil', '-inf', string.format('%d', now), 'LIMIT', 0, chunk)
for _, id in ipairs(past) do
  call('ZREM', prefix .. ':presumedUntil', id)
  call('HDEL', prefix .. ':presumed', id)
end

if now < tonumber(call('HGET', ledger, 'sparedUntil') or 0) then return { 0, 0 } end
local limit = string.format('(%d', now - ARGV[1])
local incarnation = call('ZRANGEBYSCORE', beats, '-inf', limit, 'LIMIT', 0, 1)[1]
if not incarnation then return { 0, 0 } end

-- From here on it can reserve nothing more.
call('HDEL', ledger, '@' .. incarnation)
call('HDEL', prefix .. ':reports', incarnation)
local open = prefix .. ':open:' .. incarnation
local leases = call('HRANDFIELD', open, chunk, 'WITHVALUES')
for i = 1, #leases, 2 do
  local id, lease = leases[i], cmsgpack.unpack(leases[i + 1])
  local counters = countersOf(lease)
  for _, counter in ipairs(counters) do counter.certain = sum(counter.certain, lease[2]) end
  write(counters)
  presume(id, lease, 'swept', lease[2])
  call('HDEL', open, id)
end
if call('EXISTS', open) == 0 then call('ZREM', beats, incarnation) end
if #leases > 0 then number(call('HMGET', ledger, 'epoch', 'lost', 'sequence')) end
return { #leases / 2, 1 }
