#!lua flags=allow-oom
-- A heartbeat: keeps all leases of an incarnation. The first one registers it, as the successor of the client's own.
-- ARGV: incarnation, epoch, timeline, last change, successor ('' where it is not the first heartbeat), report.
local incarnation, timeline, successor = ARGV[1], ARGV[3], ARGV[5]
local client = '@' .. incarnation
local beats = prefix .. ':beats'

local state = stateOf(client)
local reason = lostReason(state, ARGV[2])
if reason then return { 'lost', reason } end
detectLoss(state, client, timeline, ARGV[4])
local lastChange = lastChangeOf(state, client) or '0'
if successor ~= '' then
  incarnation, client = successor, '@' .. successor
  state[LAST_CHANGE] = call('HGET', ledger, client)
end

local now = clock()
if state[LAST_CHANGE] then
  -- Overdue, but not swept: Redis was out of reach for every gateway, so all of them get a lease's time to return.
  if now - call('ZSCORE', beats, incarnation) > LEASE_MS then
    call('HSET', ledger, 'sweepPausedUntil', string.format('%d', now + LEASE_MS))
  end
elseif successor ~= '' or state[RECOVERING] then
  -- During a recovery the registration of any incarnation may be lost.
  state[LAST_CHANGE] = lastChange
  call('HSET', ledger, client, lastChange)
  if state[TIMELINE] == timeline then state[LAST_CHANGE] = number(state, client, timeline) end
else
  return { 'swept' }
end
call('ZADD', beats, string.format('%d', now), incarnation)
call('HSET', prefix .. ':reports', incarnation, ARGV[6])
if state[RECOVERING] then endIfDue(state, now) end
return {
  state[RECOVERING] and 'recovering' or 'alive', now, state[TIMELINE], state[LAST_CHANGE],
  call('HGET', ledger, 'timelineStart'), call('HGET', ledger, 'sequence'),
  call('HKEYS', prefix .. ':open:' .. incarnation), call('ZRANGE', beats, 0, -1),
}
