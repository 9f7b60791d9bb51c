#!lua flags=no-writes
-- How many replicas there are, the offset that this master has written, and the highest that a replica has confirmed.
-- Bytes.
local info = call('INFO', 'replication')
local confirmed = 0
for offset in string.gmatch(info, 'slave%d+:[^\r\n]*offset=(%d+)') do confirmed = math.max(confirmed, tonumber(offset)) end
local count, written = string.match(info, 'connected_slaves:(%d+)'), string.match(info, 'master_repl_offset:(%d+)')
return { tonumber(count), tonumber(written), confirmed }
