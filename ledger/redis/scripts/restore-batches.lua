#!lua flags=allow-oom
-- Puts batches back as the usage log knows them. A batch that has more settled lines here stays as it is, and one that
-- is settled here stays settled.
-- ARGV: how long a batch's owner is known (ms); then for each: batch, id, workspace, its uid, the uid of its namespace,
-- meta, settled lines, what is reserved, 1 if it is settled, and when its counters expire with their full names, a line
-- each.
local batches = prefix .. ':batches'
for i = 2, #ARGV, 10 do
  local batch, id, workspace, workspaceUid, namespaceUid, meta, settledLines, reserved, isSettled = unpack(ARGV, i, i + 8)
  local owner, packed = prefix .. ':batch:' .. batch, call('HGET', batches, batch)
  local open = packed and cmsgpack.unpack(packed)
  if not open then
    local lease = { 'open', '0', '0' }
    for name in string.gmatch(ARGV[i + 9], '[^\n]+') do table.insert(lease, name) end
    for n = NAMES, #lease do
      if isSpanning(lease[n], workspace) then lease.workspace = workspace end
    end
    open = { id, workspace, meta, -1, lease, workspaceUid, namespaceUid }
  end
  local isBehind = isSettled == '1' or open[4] < tonumber(settledLines)
  if isBehind and string.byte(call('GET', owner) or '0') == 48 then
    local lease = open[5]
    if isSettled == '1' then
      replace(lease, '0', '0', '0')
      call('HDEL', batches, batch)
    else
      if not move(lease, '0', '0', difference(reserved, lease[2]), '0') then return overflow() end
      open[4], lease[2] = tonumber(settledLines), reserved
      call('HSET', batches, batch, cmsgpack.pack(open))
    end
    call('SET', owner, isSettled .. table.concat({ workspace, workspaceUid, namespaceUid }, ' '), 'PX', ARGV[1])
    -- A gateway may come back and replay how it opened the batch.
    writeTombstone(id, TOMBSTONE_MS)
    call('HINCRBY', ledger, 'sequence', 1)
  end
end
return {}
