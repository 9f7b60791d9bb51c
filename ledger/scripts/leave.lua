#!lua flags=allow-oom
-- Takes an incarnation off the list, unless something of it is open: then it stays, to be swept.
-- ARGV: incarnation.
if redis.call('EXISTS', prefix .. ':open:' .. ARGV[1]) == 1 then return 0 end
redis.call('HDEL', ledger, '@' .. ARGV[1])
redis.call('HDEL', prefix .. ':reports', ARGV[1])
return redis.call('ZREM', prefix .. ':beats', ARGV[1])
