#!lua flags=allow-oom
-- Keeps all leases of an incarnation alive; its first beat registers it.
-- ARGV: incarnation, epoch, seen, first (1 or 0), report.
local incarnation = ARGV[1]
local author = '@' .. incarnation
local beats = prefix .. ':beats'

local state = call('HMGET', ledger, 'epoch', 'lost', 'sequence', author, 'recovering')
local reason = lost(state, ARGV[2], ARGV[3])
if reason then return { 'lost', reason } end

local now = clock()
if state[4] then
  -- Overdue and yet not swept: the ledger was out of reach for everybody, so everybody gets a lease's time to return.
  if now - call('ZSCORE', beats, incarnation) > LEASE_MS then
    call('HSET', ledger, 'sparedUntil', string.format('%d', now + LEASE_MS))
  end
elseif ARGV[4] == '1' then
  state[4] = state[3]
  state[4] = number(state, author)
else
  return { 'swept' }
end
call('ZADD', beats, string.format('%d', now), incarnation)
call('HSET', prefix .. ':reports', incarnation, ARGV[5])
return { state[5] and 'recovering' or 'alive', now, state[4], call('HKEYS', prefix .. ':open:' .. incarnation) }
