#!lua flags=allow-oom
-- Begins a recovery that ends with resume.lua. One of the same epoch that is under way stays as it is.
-- ARGV: epoch.
local state = call('HMGET', ledger, 'epoch', 'deep')
if state[1] == ARGV[1] and state[2] then return { 0 } end
call('HDEL', ledger, 'lost')
call('HSET', ledger, 'epoch', ARGV[1], 'recovering', string.format('%d', clock()), 'deep', 'rebuild')
return { call('HINCRBY', ledger, 'sequence', 1) }
