#!lua flags=allow-oom
-- Settles lines of a batch's results if exactly those before them are settled. Returns how many are settled, -1 where
-- there is no such batch.
-- ARGV: batch, from; then for each line: cost, record.
local batches = prefix .. ':batches'
local packed = call('HGET', batches, ARGV[1])
if not packed then return { -1 } end
local open = cmsgpack.unpack(packed)
if open[4] ~= tonumber(ARGV[2]) then return { open[4] } end

local lines, cost, lease = (#ARGV - 2) / 2, '0', open[5]
for i = 3, #ARGV, 2 do cost = sum(cost, ARGV[i]) end
-- The cost comes out of what is reserved, as far as that goes.
local reserved = less(cost, lease[2]) and difference(lease[2], cost) or '0'
local committed = difference(sum(cost, reserved), lease[2])
if not move(lease, cost, cost, committed, string.format('%d', lines)) then return overflow() end
lease[2] = reserved
for i = 4, #ARGV, 2 do append(ARGV[i], lease) end
open[4] = open[4] + lines
call('HSET', batches, ARGV[1], cmsgpack.pack(open))
call('HINCRBY', ledger, 'sequence', 1)
return { open[4] }
