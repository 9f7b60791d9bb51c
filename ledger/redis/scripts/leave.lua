#!lua flags=allow-oom
-- Takes an incarnation off the list, unless something of it is open: then it stays, to be swept.
-- ARGV: incarnation.
if call('EXISTS', prefix .. ':open:' .. ARGV[1]) == 1 then return 0 end
unregister(ARGV[1])
return call('ZREM', prefix .. ':beats', ARGV[1])
