-- For scripts that change what people have corrected in a counter: the field `k`, which is what was taken out of what calls
-- were settled at; negative where it was added.

-- a + b, exactly, whatever their signs.
local function plus(a, b) return subtract(a, subtract('0', b)) end

-- What is spent of what calls were settled at, and what is corrected of it: no more than there is.
local function spentOf(settled, corrected)
  if less(settled, corrected) then corrected = settled end
  return subtract(settled, corrected), corrected
end

local function writeCorrected(key, corrected)
  if corrected == '0' then call('HDEL', key, 'k') else call('HSET', key, 'k', corrected) end
end
