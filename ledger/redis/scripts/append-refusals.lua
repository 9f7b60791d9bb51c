#!lua
-- Appends rows of refusals. No allow-oom, and the oldest rows are dropped past the limit: refusals are no money.
-- ARGV: limit, then the rows.
for i = 2, #ARGV do call('XADD', prefix .. ':refusals', 'MAXLEN', '~', ARGV[1], '*', 'row', ARGV[i]) end
return { #ARGV - 1 }
