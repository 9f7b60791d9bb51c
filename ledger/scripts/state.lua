#!lua flags=no-writes
-- How the ledger stands as a whole.
local state = redis.call('HMGET', ledger, 'epoch', 'lost', 'sequence')
return {
  clock(), state[1], state[2], state[3],
  redis.call('XLEN', prefix .. ':usage'), redis.call('HLEN', prefix .. ':presumed'),
}
