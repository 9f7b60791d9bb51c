#!lua flags=allow-oom
-- Raises counters to what the usage log and the statuses say; higher sums stay. They are raised whatever their number,
-- and count for the budget's own namespace: which one made them is not known.
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
  local pool, value = splitName(name)
  if h[3] or not value or spent ~= '0' or committed ~= '0' then
    call('HSET', key, 's', spent, 'f', certain, 'c', committed, 'n', requests)
    if not h[3] then
      if value then addValue({ name = name, key = key, expireAt = keepUntil }, namespaceOf(pool))
      else call('PEXPIREAT', key, keepUntil) end
    end
    if value then call('ZADD', prefix .. ':values:' .. pool, 'GT', spent, value) end
  end
end
return { call('HINCRBY', ledger, 'sequence', 1) }
