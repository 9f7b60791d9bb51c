#!lua flags=allow-oom
-- Writes the epoch: into an empty ledger, or over one that a person confirmed. It goes on as it is, in a line of its own:
-- who was there before tells first what it may miss.
-- ARGV: epoch.
local state = stateOf('')
call('HSET', ledger, 'epoch', ARGV[1])
call('HDEL', ledger, 'recovering', 'deep', 'short')
number(state, '', '')
state[SEQUENCE] = call('HGET', ledger, 'sequence')
beginLine(state, run(), clock())
return { state[SEQUENCE] }
