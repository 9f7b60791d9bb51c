#!lua flags=allow-oom
-- Writes the epoch: into an empty ledger, or over a lost one that a person confirmed.
-- ARGV: epoch.
call('HSET', ledger, 'epoch', ARGV[1])
call('HDEL', ledger, 'lost', 'recovering', 'deep')
return { call('HINCRBY', ledger, 'sequence', 1) }
