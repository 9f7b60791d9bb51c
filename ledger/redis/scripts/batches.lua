#!lua flags=no-writes
-- The batches that are not settled yet: batch, id, workspace, meta, how many lines are booked and what is held, of each.
local answer = {}
local batches = call('HGETALL', prefix .. ':batches')
for i = 1, #batches, 2 do
  local id, workspace, meta, at, lease = unpack(cmsgpack.unpack(batches[i + 1]))
  answer[#answer + 1] = { batches[i], id, workspace, meta, at, lease[2] }
end
return answer
