#!lua flags=allow-oom
-- Ends the recovery that began at an instant. Returns 0 where another one has begun since then, or begins now because
-- Redis was restarted: the raised counters may be lost as well.
-- ARGV: that instant (ms).
local state, runId = stateOf(''), serverRunId()
if state[RECOVERING] and state[RUN_ID] ~= runId then beginRecovery(state, runId) end
if state[RECOVERING] ~= ARGV[1] then return { 0 } end
call('HDEL', ledger, 'recovering', 'deep', 'hadMissing')
call('DEL', prefix .. ':recovery')
call('HINCRBY', ledger, 'sequence', 1)
return { 1 }
