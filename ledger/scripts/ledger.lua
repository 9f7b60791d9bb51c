-- Placed before the body of every script. KEYS[1] is the installation's prefix with its hash tag: it routes the script
-- in a cluster, and every key is made from it (ledger/keys.ts).
local prefix = KEYS[1]
local ledger = prefix .. ':ledger'
local call = redis.call

-- Milliseconds, by the only clock that decides.
local function clock()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- a < b for decimal integers of any size and sign. Never tonumber() money: a Lua number rounds above 2^53.
local function less(a, b)
  local negative = string.byte(a) == 45
  if negative ~= (string.byte(b) == 45) then return negative end
  if negative then a, b = b, a end
  if #a ~= #b then return #a < #b end
  return a < b
end

-- What is wrong with the ledger for a caller of this epoch whose last change had the number `seen`; nil if nothing.
-- A log that lost its end keeps everything before it, so a caller that finds its own last change misses nothing older.
-- `state` holds epoch, lost, sequence and the number of the caller's last change. What one caller misses is lost to all.
local function lost(state, epoch, seen)
  if not state[1] then return 'empty' end
  if state[1] ~= epoch then return 'otherEpoch' end
  if state[2] then return state[2] end
  if tonumber(state[4] or state[3]) < tonumber(seen) then
    call('HSET', ledger, 'lost', 'lowerSequence')
    return 'lowerSequence'
  end
  return nil
end

-- Numbers a change, and notes it as the last one of its author where that is registered.
local function number(state, author)
  local sequence = string.format('%d', (state[3] or 0) + 1)
  if state[4] then
    call('HSET', ledger, 'sequence', sequence, author, sequence)
  else
    call('HSET', ledger, 'sequence', sequence)
  end
  return sequence
end
