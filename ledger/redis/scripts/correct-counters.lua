#!lua flags=allow-oom
-- Brings counters to what people have corrected in them, as far as so much was settled. One that is not kept stays away.
-- Returns how many changed.
-- ARGV: for each: counter (its full name), corrected.
local changed = 0
for i = 1, #ARGV, 2 do
  local name, key = ARGV[i], prefix .. ':counter:' .. ARGV[i]
  local h = call('HMGET', key, 's', 'f', 'c', 'k')
  local before = h[1] or '0'
  local spent, corrected = spentOf(plus(before, h[4] or '0'), ARGV[i + 1])
  if spent ~= before and call('EXISTS', key) == 1 then
    local change = subtract(spent, before)
    local committed = plus(h[3] or '0', change)
    if less(MAX_NANO, committed) then return overflow() end
    call('HSET', key, 's', spent, 'f', plus(h[2] or '0', change), 'c', committed)
    writeCorrected(key, corrected)
    local pool, value = splitName(name)
    if value then call('ZADD', prefix .. ':values:' .. pool, spent, value) end
    if less(spent, before) then
      -- There is room again.
      call('HDEL', key, 'e')
      if value then call('SREM', prefix .. ':exhausted:' .. pool, value) end
    end
    changed = changed + 1
  end
end
if changed > 0 then call('HINCRBY', ledger, 'sequence', 1) end
return { changed }
