#!lua flags=allow-oom
-- Hands a reservation, or what is presumed of it, over to a batch.
-- ARGV: incarnation, epoch, line, seen, owner (the incarnation that reserved), id, batch, workspace, meta, ownerKept (ms).
local owner, id, batch = ARGV[5], ARGV[6], ARGV[7]

if call('HEXISTS', prefix .. ':batches', batch) == 1 then return absent('ended') end
local standing, lease = find(owner, id)
if not lease then return absent(standing) end

forget(standing, owner, id)
entomb(id, TOMBSTONE_MS)
-- The log has heard of it.
if standing ~= 'open' then append(decidedRecord(id, '0'), lease) end
reopen(lease)
call('HSET', prefix .. ':batches', batch, cmsgpack.pack({ id, ARGV[8], ARGV[9], 0, lease }))
call('SET', prefix .. ':batch:' .. batch, '0' .. ARGV[8], 'PX', ARGV[10])
local record = { [FIELD_ID] = id .. '/batch', [FIELD_STATE] = STATE_PRESUMED, [FIELD_WORST] = lease[2] }
record[FIELD_BATCH], record[FIELD_WORKSPACE], record[FIELD_META] = batch, ARGV[8], ARGV[9]
append(cjson.encode(record), lease)
return { standing == 'open' and 'settled' or 'corrected', conclude() }
