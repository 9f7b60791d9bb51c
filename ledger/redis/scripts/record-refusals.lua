#!lua
-- Appends rows of refusals, and counts calls that were refused as spent without a reserve. No allow-oom, and the oldest
-- rows are dropped past the limit: refusals are no money.
-- ARGV: limit, number of rows, the rows; then for each counter: its name, value, expireAt (ms), workspace, number of calls.
local last = 2 + ARGV[2]
for i = 3, last do call('XADD', prefix .. ':refusals', 'MAXLEN', '~', ARGV[1], '*', 'row', ARGV[i]) end
for i = last + 1, #ARGV, 5 do
  local value, expireAt, workspace, count = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local pool = load(ARGV[i], expireAt)
  create(pool, workspace)
  call('HINCRBY', pool.key, 'x', count)
  -- As in reserve.lua, a value that holds no money gets no counter for that.
  local own = value ~= '' and loadValue(pool, value, '', expireAt, workspace)
  if own and not own.isNew then call('HINCRBY', own.key, 'x', count) end
end
return { #ARGV }
