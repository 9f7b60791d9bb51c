#!lua flags=allow-oom
-- First deletes up to `chunk` presumed leases whose counters have expired, with a record that resolves each at its amount.
-- Then, unless a recovery runs or began less than a lease ago, unregisters one incarnation that sent no heartbeat for
-- LEASE_MS and makes up to `chunk` of its leases presumed. Frees no money: what was committed becomes certain.
-- Returns how many leases became presumed, and 1 if there was such an incarnation, so there may be more to do.
-- ARGV: chunk.
local beats, now, chunk = prefix .. ':beats', clock(), tonumber(ARGV[1])

-- Presumed money whose counters have expired: its cost will not become known.
local expired = call('ZRANGEBYSCORE', prefix .. ':presumedUntil', '-inf', string.format('%d', now), 'LIMIT', 0, chunk)
for _, id in ipairs(expired) do
  local packed = call('HGET', prefix .. ':presumed', id)
  if packed then
    local lease = cmsgpack.unpack(packed)
    append(resolvedRecord(lease[1] == 'rest' and id .. '/rest' or id, lease[2], lease[2]), lease)
  end
  deleteLease('presumed', '', id)
end

-- After a Redis restart, sweep no gateway for one lease period: none of them could send a heartbeat.
local state = stateOf('')
if not state[EPOCH] then return { 0, 0 } end
detectLoss(state, '', '', '0')
if state[RECOVERING] or now < tonumber(call('HGET', ledger, 'sweepPausedUntil') or 0) then return { 0, 0 } end
local limit = string.format('(%d', now - LEASE_MS)
local incarnation = call('ZRANGEBYSCORE', beats, '-inf', limit, 'LIMIT', 0, 1)[1]
if not incarnation then return { 0, 0 } end

unregister(incarnation)
local open = prefix .. ':open:' .. incarnation
local leases = call('HRANDFIELD', open, chunk, 'WITHVALUES')
for i = 1, #leases, 2 do
  sweepLease(leases[i], cmsgpack.unpack(leases[i + 1]))
  call('HDEL', open, leases[i])
end
if call('EXISTS', open) == 0 then call('ZREM', beats, incarnation) end
if #leases > 0 then number(state, '', '') end
return { #leases / 2, 1 }
