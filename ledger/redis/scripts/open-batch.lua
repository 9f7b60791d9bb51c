#!lua flags=allow-oom
-- Turns a reservation, or what is presumed of it, into an open Message Batch.
-- ARGV: incarnation, epoch, timeline, last change, holder (the incarnation that reserved), id, batch, workspace, its uid,
-- the uid of its namespace, meta, how long the batch's owner is known (ms).
local holder, id, batch, workspace, workspaceUid, namespaceUid, meta, ownerTtl = unpack(ARGV, 5)

if call('HEXISTS', prefix .. ':batches', batch) == 1 then return withoutLease('ended') end
local status, lease = find(holder, id)
if not lease then return withoutLease(status) end

deleteLease(status, holder, id)
writeTombstone(id, TOMBSTONE_MS)
-- The usage log has a presumed record of it.
if status ~= 'open' then append(resolvedRecord(id, '0', lease[2]), lease) end
reopen(lease)
call('HSET', prefix .. ':batches', batch, cmsgpack.pack({ id, workspace, meta, 0, lease, workspaceUid, namespaceUid }))
call('SET', prefix .. ':batch:' .. batch, '0' .. table.concat({ workspace, workspaceUid, namespaceUid }, ' '), 'PX', ownerTtl)
local record = { [FIELD_ID] = id .. '/batch', [FIELD_STATE] = STATE_PRESUMED, [FIELD_WORST] = lease[2] }
record[FIELD_BATCH], record[FIELD_META] = batch, meta
record[FIELD_WORKSPACE], record[FIELD_WORKSPACE_UID], record[FIELD_NAMESPACE_UID] = workspace, workspaceUid, namespaceUid
append(cjson.encode(record), lease)
return { status == 'open' and 'settled' or 'corrected', numberChange() }
