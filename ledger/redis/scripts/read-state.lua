#!lua flags=no-writes
-- The ledger as a whole.
local missing, replays = {}, call('HGETALL', prefix .. ':recovery')
for i = 1, #replays, 2 do
  if replays[i + 1] == 'expected' then missing[#missing + 1] = replays[i] end
end
local state = call('HMGET', ledger, 'epoch', 'sequence', 'recovering', 'deep')
return {
  clock(), state[1], state[2], call('XLEN', prefix .. ':usage'), call('HLEN', prefix .. ':presumed'),
  state[3], state[4], missing,
}
