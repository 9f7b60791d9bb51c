#!lua flags=allow-oom
-- Begins a deep recovery, which ends with end-recovery.lua. One of the same epoch that is under way goes on.
-- ARGV: epoch.
local state, runId = stateOf(''), serverRunId()
if state[EPOCH] == ARGV[1] and state[RUN_ID] == runId and call('HEXISTS', ledger, 'deep') == 1 then return { 0 } end
call('HSET', ledger, 'epoch', ARGV[1])
beginRecovery(state, runId)
call('HSETNX', ledger, 'deep', 'rebuild')
return { 1 }
