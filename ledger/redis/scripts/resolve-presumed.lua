#!lua flags=allow-oom
-- Books presumed calls as spent at their worst case, or releases them. Returns how many.
-- ARGV: 1 to book, 0 to release; then the ids.
local resolved = 0
for i = 2, #ARGV do
  local packed = call('HGET', prefix .. ':presumed', ARGV[i])
  if packed then
    local lease = cmsgpack.unpack(packed)
    resolve(ARGV[i], lease, ARGV[1] == '1' and lease[2] or '0')
    resolved = resolved + 1
  end
end
if resolved > 0 then call('HINCRBY', ledger, 'sequence', 1) end
return { resolved }
