#!lua flags=allow-oom
-- Puts batches back as books outside of the ledger know them; one that is further here stays as it is, and one that is
-- settled here stays settled.
-- ARGV: ownerKept (ms); then for each: batch, id, workspace, meta, how many lines are booked, what is held, 1 if it is
-- settled, and when its counters may be forgotten with their true names, a line each.
local batches = prefix .. ':batches'
for i = 2, #ARGV, 8 do
  local batch, id, workspace, meta, at, left, settled = unpack(ARGV, i, i + 6)
  local owner, packed = prefix .. ':batch:' .. batch, call('HGET', batches, batch)
  local open = packed and cmsgpack.unpack(packed)
  if not open then
    open = { id, workspace, meta, -1, { 'open', '0', '0' } }
    for line in string.gmatch(ARGV[i + 7], '[^\n]+') do table.insert(open[5], line) end
  end
  local isBehind = settled == '1' or open[4] < tonumber(at)
  if isBehind and string.byte(call('GET', owner) or '0') == 48 then
    local lease = open[5]
    if settled == '1' then
      replace(lease, '0', '0', '0')
      call('HDEL', batches, batch)
    else
      if not move(lease, '0', '0', difference(left, lease[2]), '0') then return overflow() end
      open[4], lease[2] = tonumber(at), left
      call('HSET', batches, batch, cmsgpack.pack(open))
    end
    call('SET', owner, settled .. workspace, 'PX', ARGV[1])
    -- A gateway may still come back and tell how it handed the call over.
    entomb(id, TOMBSTONE_MS)
    call('HINCRBY', ledger, 'sequence', 1)
  end
end
return {}
