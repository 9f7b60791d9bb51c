#!lua flags=allow-oom
-- Forgets the fences of workspaces that are gone. The highest of them, under '', is the fence of every workspace without one.
-- ARGV: workspace, version, workspace, version, …
local fences = prefix .. ':fences'
local highest = tonumber(call('HGET', fences, '') or 0)
for i = 1, #ARGV, 2 do
  highest = math.max(highest, tonumber(ARGV[i + 1]), tonumber(call('HGET', fences, ARGV[i]) or 0))
  call('HDEL', fences, ARGV[i])
end
call('HSET', fences, '', string.format('%d', highest))
return call('HINCRBY', ledger, 'sequence', 1)
