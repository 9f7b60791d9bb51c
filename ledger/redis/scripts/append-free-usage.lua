#!lua
-- Appends the record of calls that cost nothing, unless the usage stream is too full for it. No allow-oom: it is no money.
-- ARGV: record, how many records the stream may hold for this one to be appended. Returns 1, or 0 where it was not.
local usage = prefix .. ':usage'
if call('XLEN', usage) >= tonumber(ARGV[2]) then return { 0 } end
call('XADD', usage, '*', 'record', ARGV[1])
return { 1 }
