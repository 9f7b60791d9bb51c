#!lua flags=allow-oom
-- An incarnation has told the ledger all that it may miss, and from now on takes part in its line.
-- ARGV: incarnation, epoch, line, seen, whether it missed anything (1 or 0), the highest sequence it ever heard of, the highest
-- of a lease's time before it last heard any, why it cannot tell all ('' if it can), how many incarnations it was before,
-- those, then the others that it knows of.
local incarnation, line = ARGV[1], ARGV[3]
local author, recovery = '@' .. incarnation, prefix .. ':recovery'

local state = stateOf(author)
local reason = lost(state, ARGV[2])
if reason then return { 'lost', reason } end
local server = run()
-- It happened again meanwhile, or it was swept: the next beat tells.
if state[RUN] ~= server or state[LINE] ~= line or not state[LAST] then return { 'again' } end

local from = tonumber(call('HGET', ledger, 'from'))
local deep = ARGV[8]
if deep == '' and tonumber(ARGV[7]) > from then deep = 'tooOld' end
if deep ~= '' and not state[RECOVERING] then
  -- Nobody noticed, or nobody waited for it.
  recover(state, server)
  call('HSETNX', ledger, 'deep', deep)
  return { 'again' }
end

local sequence = number(state, author, line)
if state[RECOVERING] then
  if deep ~= '' then call('HSETNX', ledger, 'deep', deep) end
  if ARGV[5] == '1' or tonumber(ARGV[6]) > from then call('HSET', ledger, 'short', '1') end
  local last = 9 + tonumber(ARGV[9])
  for i = 10, last do call('HSET', recovery, ARGV[i], 'replayed') end
  for i = last + 1, #ARGV do call('HSETNX', recovery, ARGV[i], 'expected') end
  call('HSET', recovery, incarnation, 'replayed')
  advance(state, clock())
end
return { state[RECOVERING] and 'recovering' or 'alive', sequence }
