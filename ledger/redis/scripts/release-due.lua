#!lua flags=allow-oom
-- Releases presumed money whose settle said that it may be released by itself, RELEASE_AFTER_MS after that settle. Nothing
-- is released during a recovery, which may bring back what is known of a call. Returns how many calls, and the sum.
-- ARGV: the most calls.
local state = stateOf('')
if not state[EPOCH] or state[RECOVERING] then return { 0, '0' } end
local now = string.format('%d', clock())
local due = call('ZRANGEBYSCORE', prefix .. ':presumedRelease', '-inf', now, 'LIMIT', 0, ARGV[1])
local released = '0'
for _, id in ipairs(due) do
  local lease = cmsgpack.unpack(call('HGET', prefix .. ':presumed', id))
  released = sum(released, lease[2])
  resolve(id, lease, '0')
end
if #due > 0 then call('HINCRBY', ledger, 'sequence', 1) end
return { #due, released }
