#!lua flags=no-writes
-- The oldest calls that hold presumed money: id, worst case, since (ms) and the counters of each.
-- ARGV: limit.
local answer = {}
local oldest = call('ZRANGE', prefix .. ':presumedSince', 0, ARGV[1] - 1, 'WITHSCORES')
for i = 1, #oldest, 2 do
  local lease = cmsgpack.unpack(call('HGET', prefix .. ':presumed', oldest[i]))
  answer[#answer + 1] = { oldest[i], lease[2], tonumber(oldest[i + 1]), table.concat(lease, '\n', NAMES) }
end
return answer
