#!lua flags=allow-oom
-- Ends a recovery.
call('HDEL', ledger, 'recovering', 'deep')
return { call('HINCRBY', ledger, 'sequence', 1) }
