#!lua flags=allow-oom
-- Ends a recovery.
call('HDEL', ledger, 'recovering', 'deep', 'short')
call('DEL', prefix .. ':recovery')
return { call('HINCRBY', ledger, 'sequence', 1) }
