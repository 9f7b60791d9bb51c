#!lua flags=no-writes
-- Reads the counters of budgets, each in one period.
-- ARGV: for each: counter, top (-1 where it has no values), how many values are asked for by name, and those.
local function counter(name)
  return call('HMGET', prefix .. ':counter:' .. name, 's', 'f', 'c', 'n', 'x', 'w', 'e')
end

local function read(name, top, first, last)
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
  for i = first, last do
    local hasCounter = count < MAX_VALUES or call('ZSCORE', values, ARGV[i])
    list(hasCounter and ARGV[i] or REST)
  end
  return answer
end

local answers, at = {}, 1
while at <= #ARGV do
  local last = at + 2 + ARGV[at + 2]
  answers[#answers + 1] = read(ARGV[at], tonumber(ARGV[at + 1]), at + 3, last)
  at = last + 1
end
return answers
