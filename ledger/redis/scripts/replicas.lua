#!lua flags=no-writes
-- How many replicas there are, how far this master has written, and how far the best of them has confirmed. Bytes.
local info = call('INFO', 'replication')
local furthest = 0
for offset in string.gmatch(info, 'slave%d+:[^\r\n]*offset=(%d+)') do furthest = math.max(furthest, tonumber(offset)) end
local count, written = string.match(info, 'connected_slaves:(%d+)'), string.match(info, 'master_repl_offset:(%d+)')
return { tonumber(count), tonumber(written), furthest }
