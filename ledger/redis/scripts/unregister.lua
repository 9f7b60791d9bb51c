#!lua flags=allow-oom
-- Unregisters an incarnation, unless it has open leases: then it stays, to be swept.
-- ARGV: incarnation.
if call('EXISTS', prefix .. ':open:' .. ARGV[1]) == 1 then return 0 end
unregister(ARGV[1])
return call('ZREM', prefix .. ':beats', ARGV[1])
