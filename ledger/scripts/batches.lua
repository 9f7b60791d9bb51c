#!lua flags=no-writes
-- The batches that are not settled yet: batch, id, workspace, meta and how many lines are booked, of each.
local answer = {}
local batches = call('HGETALL', prefix .. ':batches')
for i = 1, #batches, 2 do
  local id, workspace, meta, at = unpack(cmsgpack.unpack(batches[i + 1]), 1, 4)
  answer[#answer + 1] = { batches[i], id, workspace, meta, at }
end
return answer
