#!lua flags=allow-oom
-- Ends calls that were resolved without their cost: a late settle changes nothing any more. Returns how many.
-- ARGV: the ids.
local ended = 0
for _, id in ipairs(ARGV) do
  if call('HEXISTS', prefix .. ':booked', id) == 1 then
    deleteLease('booked', '', id)
    writeTombstone(id, RETENTION_MS)
    ended = ended + 1
  end
end
if ended > 0 then call('HINCRBY', ledger, 'sequence', 1) end
return { ended }
