#!lua flags=allow-oom
-- Keeps all leases of an incarnation alive; its first beat registers it, as the successor of the one that asks.
-- ARGV: incarnation, epoch, line, seen, successor ('' where it is not the first beat), report.
local incarnation, line, successor = ARGV[1], ARGV[3], ARGV[5]
local author = '@' .. incarnation
local beats = prefix .. ':beats'

local state = stateOf(author)
local reason = lost(state, ARGV[2])
if reason then return { 'lost', reason } end
watch(state, author, line, ARGV[4])
local last = lastOf(state, author) or '0'
if successor ~= '' then
  incarnation, author = successor, '@' .. successor
  state[LAST] = call('HGET', ledger, author)
end

local now = clock()
if state[LAST] then
  -- Overdue and yet not swept: the ledger was out of reach for everybody, so everybody gets a lease's time to return.
  if now - call('ZSCORE', beats, incarnation) > LEASE_MS then
    call('HSET', ledger, 'sparedUntil', string.format('%d', now + LEASE_MS))
  end
elseif successor ~= '' or state[RECOVERING] then
  -- Who is missing here while it recovers may have come after what the ledger knows.
  state[LAST] = last
  call('HSET', ledger, author, last)
  if state[LINE] == line then state[LAST] = number(state, author, line) end
else
  return { 'swept' }
end
call('ZADD', beats, string.format('%d', now), incarnation)
call('HSET', prefix .. ':reports', incarnation, ARGV[6])
if state[RECOVERING] then advance(state, now) end
return {
  state[RECOVERING] and 'recovering' or 'alive', now, state[LINE], state[LAST], call('HGET', ledger, 'from'),
  call('HGET', ledger, 'sequence'), call('HKEYS', prefix .. ':open:' .. incarnation), call('ZRANGE', beats, 0, -1),
}
