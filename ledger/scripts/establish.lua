#!lua flags=allow-oom
-- Writes the epoch: into an empty ledger, or over a lost one that a person confirmed.
-- ARGV: epoch.
redis.call('HSET', ledger, 'epoch', ARGV[1])
redis.call('HDEL', ledger, 'lost')
return redis.call('HINCRBY', ledger, 'sequence', 1)
