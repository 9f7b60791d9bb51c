#!lua flags=allow-oom
-- Raises counters to what the usage log and the statuses say; higher sums stay.
-- ARGV: for each: counter (its full name), keepUntil (ms), spent, presumed, requests.
for i = 1, #ARGV, 5 do
  local name, keepUntil = ARGV[i], ARGV[i + 1]
  local key = prefix .. ':counter:' .. name
  local h = call('HMGET', key, 's', 'f', 'c', 'n')
  local spent, certain, committed, requests = h[1] or '0', h[2] or '0', h[3] or '0', h[4] or '0'
  local function raise(change)
    certain, committed = sum(certain, change), sum(committed, change)
  end
  if less(spent, ARGV[i + 2]) then
    raise(difference(ARGV[i + 2], spent))
    spent = ARGV[i + 2]
  end
  local presumed = difference(certain, spent)
  if less(presumed, ARGV[i + 3]) then raise(difference(ARGV[i + 3], presumed)) end
  if less(requests, ARGV[i + 4]) then requests = ARGV[i + 4] end
  if less(MAX_NANO, committed) then return overflow() end
  call('HSET', key, 's', spent, 'f', certain, 'c', committed, 'n', requests)
  if not h[3] then call('PEXPIREAT', key, keepUntil) end
  local mark = string.find(name, '#', 1, true)
  if mark then
    local values, value = prefix .. ':values:' .. string.sub(name, 1, mark - 1), string.sub(name, mark + 1)
    call('ZADD', values, 'GT', spent, value)
    if call('PEXPIRETIME', values) < tonumber(keepUntil) then call('PEXPIREAT', values, keepUntil) end
  end
end
return { call('HINCRBY', ledger, 'sequence', 1) }
