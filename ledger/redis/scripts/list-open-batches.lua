#!lua flags=no-writes
-- The batches that are not settled yet: batch, id, workspace, meta, settled lines and what is still reserved, of each.
local answer = {}
local batches = call('HGETALL', prefix .. ':batches')
for i = 1, #batches, 2 do
  local id, workspace, meta, settledLines, lease = unpack(cmsgpack.unpack(batches[i + 1]))
  answer[#answer + 1] = { batches[i], id, workspace, meta, settledLines, lease[2] }
end
return answer
