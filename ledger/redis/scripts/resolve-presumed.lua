#!lua flags=allow-oom
-- Books presumed calls as spent at their worst case, or releases them. A late settle still finds a call of which all was
-- presumed, and corrects it. Returns how many.
-- ARGV: 1 to book, 0 to release; then the ids.
local booked, resolved = prefix .. ':booked', 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local packed = call('HGET', prefix .. ':presumed', id)
  if packed then
    local lease = cmsgpack.unpack(packed)
    local status, cost = lease[1], ARGV[1] == '1' and lease[2] or '0'
    replace(lease, cost, cost, '0')
    deleteLease(status, '', id)
    append(resolvedRecord(status == 'rest' and id .. '/rest' or id, cost), lease)
    if status == 'swept' then
      lease[1], lease[2] = 'booked', cost
      call('HSET', booked, id, cmsgpack.pack(lease))
      call('ZADD', prefix .. ':presumedUntil', lease[4], id)
    end
    resolved = resolved + 1
  end
end
if resolved > 0 then call('HINCRBY', ledger, 'sequence', 1) end
return { resolved }
