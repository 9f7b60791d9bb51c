#!lua flags=no-writes
-- How the ledger stands as a whole.
local state = call('HMGET', ledger, 'epoch', 'lost', 'sequence', 'recovering', 'deep')
return {
  clock(), state[1], state[2], state[3],
  call('XLEN', prefix .. ':usage'), call('HLEN', prefix .. ':presumed'), state[4], state[5], {},
}
