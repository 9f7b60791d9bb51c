#!lua flags=allow-oom
-- Writes the epoch: into an empty ledger, or over one that a person confirmed. What the ledger holds stays, on a new
-- timeline, so that living sessions first replay what it may have lost.
-- ARGV: epoch.
local state = stateOf('')
call('HSET', ledger, 'epoch', ARGV[1])
call('HDEL', ledger, 'recovering', 'deep', 'hadMissing')
number(state, '', '')
state[SEQUENCE] = call('HGET', ledger, 'sequence')
beginTimeline(state, serverRunId(), clock())
return { state[SEQUENCE] }
