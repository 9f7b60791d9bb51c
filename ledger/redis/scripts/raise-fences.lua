#!lua flags=allow-oom
-- Raises fences; a higher one stays.
-- ARGV: workspace, version, workspace, version, …
local fences = prefix .. ':fences'
for i = 1, #ARGV, 2 do
  if tonumber(call('HGET', fences, ARGV[i]) or -1) < tonumber(ARGV[i + 1]) then
    call('HSET', fences, ARGV[i], ARGV[i + 1])
  end
end
return call('HINCRBY', ledger, 'sequence', 1)
