#!lua flags=allow-oom
-- Turns a reservation, or what is presumed of it, into an open Message Batch.
-- ARGV: incarnation, epoch, timeline, last change, owner (the incarnation that reserved), id, batch, workspace, meta,
-- how long the batch's owner is known (ms).
local owner, id, batch, workspace, meta = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]

if call('HEXISTS', prefix .. ':batches', batch) == 1 then return withoutLease('ended') end
local status, lease = find(owner, id)
if not lease then return withoutLease(status) end

deleteLease(status, owner, id)
writeTombstone(id, TOMBSTONE_MS)
-- The usage log has a presumed record of it.
if status ~= 'open' then append(resolvedRecord(id, '0'), lease) end
reopen(lease)
call('HSET', prefix .. ':batches', batch, cmsgpack.pack({ id, workspace, meta, 0, lease }))
call('SET', prefix .. ':batch:' .. batch, '0' .. workspace, 'PX', ARGV[10])
local record = { [FIELD_ID] = id .. '/batch', [FIELD_STATE] = STATE_PRESUMED, [FIELD_WORST] = lease[2] }
record[FIELD_BATCH], record[FIELD_WORKSPACE], record[FIELD_META] = batch, workspace, meta
append(cjson.encode(record), lease)
return { status == 'open' and 'settled' or 'corrected', numberChange() }
