-- Exact arithmetic on money, as decimal integers in text.

-- a < b for decimal integers of any size and sign. Never tonumber() money: a Lua number rounds above 2^53.
local function less(a, b)
  local negative = string.byte(a) == 45
  if negative ~= (string.byte(b) == 45) then return negative end
  if negative then a, b = b, a end
  if #a ~= #b then return #a < #b end
  return a < b
end

-- a + b, exactly; only b may be negative, and the sum never is. Two limbs of twelve digits hold more than 64 bits.
local function sum(a, b)
  if #a < 16 and #b < 16 then return string.format('%d', a + b) end
  local sign = string.byte(b) == 45 and -1 or 1
  if sign < 0 then b = string.sub(b, 2) end
  local high = (tonumber(string.sub(a, 1, -13)) or 0) + sign * (tonumber(string.sub(b, 1, -13)) or 0)
  local low = string.sub(a, -12) + sign * string.sub(b, -12)
  if low < 0 then high, low = high - 1, low + 1e12 end
  if low >= 1e12 then high, low = high + 1, low - 1e12 end
  if high == 0 then return string.format('%d', low) end
  return string.format('%d%012d', high, low)
end

-- a - b, exactly; neither is negative, the difference may be.
local function difference(a, b)
  if less(a, b) then return '-' .. sum(b, '-' .. a) end
  return sum(a, '-' .. b)
end

-- a - b, exactly, whatever their signs.
local function subtract(a, b)
  if string.byte(b) == 45 then
    b = string.sub(b, 2)
    return string.byte(a) == 45 and difference(b, string.sub(a, 2)) or sum(a, b)
  end
  return string.byte(a) == 45 and '-' .. sum(string.sub(a, 2), b) or difference(a, b)
end

-- a * factor, exactly, for an amount and a factor that are not negative, and a product of at most 24 digits.
local function times(a, factor)
  if factor > 1000 then
    return sum(times(times(a, math.floor(factor / 1000)), 1000), times(a, factor % 1000))
  end
  local high, low = (tonumber(string.sub(a, 1, -13)) or 0) * factor, string.sub(a, -12) * factor
  high, low = high + math.floor(low / 1e12), low % 1e12
  if high == 0 then return string.format('%d', low) end
  return string.format('%d%012d', high, low)
end

local function overflow()
  return redis.error_reply('OVERFLOW a counter cannot hold this amount')
end
