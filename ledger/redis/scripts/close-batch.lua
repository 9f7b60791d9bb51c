#!lua flags=allow-oom
-- Releases what a batch has left of its reservation.
-- ARGV: batch.
local batches = prefix .. ':batches'
local packed = call('HGET', batches, ARGV[1])
if not packed then return { 0 } end
local id, _, _, _, lease = unpack(cmsgpack.unpack(packed))
append(resolvedRecord(id .. '/batch', '0', lease[2]), lease)
replace(lease, '0', '0', '0')
call('HDEL', batches, ARGV[1])
local key = prefix .. ':batch:' .. ARGV[1]
local owner = call('GET', key)
if owner then call('SET', key, '1' .. string.sub(owner, 2), 'KEEPTTL') end
call('HINCRBY', ledger, 'sequence', 1)
return { 1 }
