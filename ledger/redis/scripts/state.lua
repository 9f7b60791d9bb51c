#!lua flags=no-writes
-- How the ledger stands as a whole.
local missing, standings = {}, call('HGETALL', prefix .. ':recovery')
for i = 1, #standings, 2 do
  if standings[i + 1] == 'expected' then missing[#missing + 1] = standings[i] end
end
local state = call('HMGET', ledger, 'epoch', 'sequence', 'recovering', 'deep')
return {
  clock(), state[1], state[2], call('XLEN', prefix .. ':usage'), call('HLEN', prefix .. ':presumed'),
  state[3], state[4], missing,
}
