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

-- What the scripts ask of the ledger as a whole: epoch, sequence, the number of the author's last change, line, since
-- when it recovers, run.
local EPOCH, SEQUENCE, LAST, LINE, RECOVERING, RUN = 1, 2, 3, 4, 5, 6

local function stateOf(author)
  return call('HMGET', ledger, 'epoch', 'sequence', author, 'line', 'recovering', 'run')
end

-- What is wrong with the ledger for a caller of this epoch; nil if nothing.
local function lost(state, epoch)
  if not state[EPOCH] then return 'empty' end
  if state[EPOCH] ~= epoch then return 'otherEpoch' end
  return nil
end

-- Another one since the server was last started; that of a replica is its own. Forty digits; a pattern would look for
-- them ten times as long.
local function run()
  local info = call('INFO', 'server')
  local _, colon = string.find(info, 'run_id:', 1, true)
  return string.sub(info, colon + 1, colon + 40)
end

-- Begins a line: what follows is numbered on from here, whatever was numbered so in a history that is lost.
local function beginLine(state, server, now)
  local from = state[SEQUENCE] or '0'
  state[LINE] = string.format('%s/%d/%s', server, now, from)
  call('HSET', ledger, 'run', server, 'line', state[LINE], 'from', from, 'sequence', from)
  call('DEL', prefix .. ':recovery')
end

-- Begins a recovery: the ledger may miss what anybody did, so all who live are expected to tell.
local function recover(state, server)
  local now = clock()
  beginLine(state, server, now)
  state[RECOVERING] = string.format('%d', now)
  call('HSET', ledger, 'recovering', state[RECOVERING], 'sparedUntil', string.format('%d', now + LEASE_MS))
  for _, incarnation in ipairs(call('ZRANGE', prefix .. ':beats', 0, -1)) do
    call('HSET', prefix .. ':recovery', incarnation, 'expected')
  end
end

-- The number of the author's last change, also where it is not registered any more; false where nothing is known of it.
local function lastOf(state, author)
  return state[LAST] or call('GET', prefix .. ':last:' .. author)
end

-- A log that lost its end keeps everything before it, so a caller that finds its own last change misses nothing older.
-- One that is not known has lost its registration: who is taken off the list leaves its number.
local function misses(state, author, line, seen)
  return state[LINE] == line and tonumber(lastOf(state, author) or 0) < tonumber(seen)
end

-- Begins a recovery where the server is another one, or the caller misses a change of its own.
local function watch(state, author, line, seen)
  local server = run()
  if state[RUN] ~= server or misses(state, author, line, seen) then recover(state, server) end
end

-- Numbers a change. It is the last one of its author where that is known and has joined the line: only then its number
-- is returned, since only then it says what the author need not tell again.
local function number(state, author, line)
  local sequence = string.format('%d', (state[SEQUENCE] or 0) + 1)
  if state[LAST] and state[LINE] == line then
    call('HSET', ledger, 'sequence', sequence, author, sequence)
    return sequence
  end
  call('HSET', ledger, 'sequence', sequence)
  local isKnown = state[LINE] == line and call('SET', prefix .. ':last:' .. author, sequence, 'XX', 'KEEPTTL')
  return isKnown and sequence
end

-- Takes an incarnation off the list: it can reserve nothing more.
local function unregister(incarnation)
  local author = '@' .. incarnation
  local last = call('HGET', ledger, author)
  if last then call('SET', prefix .. ':last:' .. author, last, 'PX', RETENTION_MS) end
  call('HDEL', ledger, author)
  call('HDEL', prefix .. ':reports', incarnation)
end
