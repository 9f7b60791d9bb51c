#!lua
-- Appends rows of refusals. No allow-oom, and the oldest go where there are too many: they are no money.
-- ARGV: limit, then the rows.
for i = 2, #ARGV do call('XADD', prefix .. ':refusals', 'MAXLEN', '~', ARGV[1], '*', 'row', ARGV[i]) end
return { #ARGV - 1 }
