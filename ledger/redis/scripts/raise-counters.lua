#!lua flags=allow-oom
-- Raises counters to what the usage log and the statuses say; higher sums stay. They are raised whatever their number,
-- and count for the budget's own namespace: which one made them is not known. What people have corrected is not part of the
-- comparison: calls were settled at `spent` and `corrected` together.
-- ARGV: for each: counter (its full name), keepUntil (ms), settled (spent and corrected together), presumed, requests, corrected ('' where
-- it is not known).
for i = 1, #ARGV, 6 do
  local name, keepUntil, settled = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local key = prefix .. ':counter:' .. name
  local h = call('HMGET', key, 's', 'f', 'c', 'n', 'k')
  local before, certain, committed, requests = h[1] or '0', h[2] or '0', h[3] or '0', h[4] or '0'
  local corrected = h[5] or '0'
  if less(settled, plus(before, corrected)) then settled = plus(before, corrected) end
  if ARGV[i + 5] ~= '' then corrected = ARGV[i + 5] end
  local spent
  spent, corrected = spentOf(settled, corrected)
  certain, committed = plus(certain, subtract(spent, before)), plus(committed, subtract(spent, before))
  local presumed = difference(certain, spent)
  if less(presumed, ARGV[i + 3]) then
    local change = difference(ARGV[i + 3], presumed)
    certain, committed = sum(certain, change), sum(committed, change)
  end
  if less(requests, ARGV[i + 4]) then requests = ARGV[i + 4] end
  if less(MAX_NANO, committed) then return overflow() end
  local pool, value = splitName(name)
  if h[3] or not value or spent ~= '0' or committed ~= '0' or corrected ~= '0' then
    call('HSET', key, 's', spent, 'f', certain, 'c', committed, 'n', requests)
    writeCorrected(key, corrected)
    if not h[3] then
      if value then addValue({ name = name, key = key, expireAt = keepUntil }, namespaceOf(pool))
      else call('PEXPIREAT', key, keepUntil) end
    end
    if value then call('ZADD', prefix .. ':values:' .. pool, spent, value) end
  end
end
return { call('HINCRBY', ledger, 'sequence', 1) }
