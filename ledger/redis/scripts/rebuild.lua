#!lua flags=allow-oom
-- Begins a recovery that ends with resume.lua. One of the same epoch that is under way stays as it is.
-- ARGV: epoch.
local state, server = stateOf(''), run()
if state[EPOCH] == ARGV[1] and state[RUN] == server and call('HEXISTS', ledger, 'deep') == 1 then return { 0 } end
call('HSET', ledger, 'epoch', ARGV[1])
recover(state, server)
call('HSETNX', ledger, 'deep', 'rebuild')
return { 1 }
