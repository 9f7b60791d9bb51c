#!lua flags=no-writes
-- Reads one budget's counters in one period.
-- ARGV: counter, top (-1 where it has no values), then the values asked for by name.
local function counter(name)
  return call('HMGET', prefix .. ':counter:' .. name, 's', 'f', 'c', 'n', 'x', 'w', 'e')
end

local name, top = ARGV[1], tonumber(ARGV[2])
if top < 0 then return { counter(name) } end

local values = prefix .. ':values:' .. name
local count = call('ZCARD', values)
local answer = { counter(name), count, call('SCARD', prefix .. ':exhausted:' .. name) }
local listed = {}
local function list(value)
  if listed[value] then return end
  listed[value] = true
  answer[#answer + 1] = value
  answer[#answer + 1] = counter(name .. '#' .. value)
end
if top > 0 then
  for _, value in ipairs(call('ZREVRANGE', values, 0, top - 1)) do list(value) end
end
for i = 3, #ARGV do
  local own = count < MAX_VALUES or call('ZSCORE', values, ARGV[i])
  list(own and ARGV[i] or REST)
end
return answer
