#!lua flags=no-writes
-- Reads the counters of budgets, each in one period.
-- ARGV: for each: counter, top (-1 where it has no values), shared (the value of the shared counter in which values without a counter
-- count, or ''), how many values are asked for by name, and those.
local function counter(name)
  return call('HMGET', prefix .. ':counter:' .. name, 's', 'f', 'c', 'n', 'x', 'w', 'e', 'l', 'k')
end

local function read(name, top, shared, first, last)
  if top < 0 then return { counter(name) } end
  local values = prefix .. ':values:' .. name
  local answer = { counter(name), call('ZCARD', values), call('SCARD', prefix .. ':exhausted:' .. name) }
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
  local isShared = shared ~= '' and call('ZSCORE', values, shared)
  for i = first, last do list(isShared and not call('ZSCORE', values, ARGV[i]) and shared or ARGV[i]) end
  return answer
end

local answers, at = {}, 1
while at <= #ARGV do
  local last = at + 3 + ARGV[at + 3]
  answers[#answers + 1] = read(ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], at + 4, last)
  at = last + 1
end
return answers
