#!lua flags=allow-oom
-- Ends the recovery that began at an instant, unless another one has begun or begins now: what was done for this one may
-- be lost as well. Returns 1 where it has ended.
-- ARGV: that instant (ms).
local state, server = stateOf(''), run()
if state[RECOVERING] and state[RUN] ~= server then recover(state, server) end
if state[RECOVERING] ~= ARGV[1] then return { 0 } end
call('HDEL', ledger, 'recovering', 'deep', 'short')
call('DEL', prefix .. ':recovery')
call('HINCRBY', ledger, 'sequence', 1)
return { 1 }
