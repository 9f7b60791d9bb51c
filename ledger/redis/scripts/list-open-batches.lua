#!lua flags=no-writes
-- The batches that are not settled yet: batch, id, workspace, its uid, the uid of its namespace, meta, settled lines and
-- what is still reserved, of each.
local answer = {}
local batches = call('HGETALL', prefix .. ':batches')
for i = 1, #batches, 2 do
  local id, workspace, meta, settledLines, lease, workspaceUid, namespaceUid = unpack(cmsgpack.unpack(batches[i + 1]))
  local uids = { workspaceUid or '', namespaceUid or '' }
  answer[#answer + 1] = { batches[i], id, workspace, uids[1], uids[2], meta, settledLines, lease[2] }
end
return answer
