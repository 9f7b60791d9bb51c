#!lua flags=no-writes
-- How the ledger stands as a whole.
local state = call('HMGET', ledger, 'epoch', 'lost', 'sequence')
return {
  clock(), state[1], state[2], state[3],
  call('XLEN', prefix .. ':usage'), call('HLEN', prefix .. ':presumed'),
}
