-- Placed before the body of every script. KEYS[1] is the installation's prefix with its hash tag: it routes the script
-- in a cluster, and every key is made from it (ledger/redis/keys.ts).
local prefix = KEYS[1]
local ledger = prefix .. ':ledger'
local call = redis.call

-- The clock of this Redis, the only one that decides. Milliseconds.
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

-- Indexes into the ledger's state: epoch, sequence, the number of a client's last change, timeline, since when it
-- recovers, the run id of the server on which it was last in force. A client is '@' and its incarnation, or ''.
local EPOCH, SEQUENCE, LAST_CHANGE, TIMELINE, RECOVERING, RUN_ID = 1, 2, 3, 4, 5, 6

local function stateOf(client)
  return call('HMGET', ledger, 'epoch', 'sequence', client, 'timeline', 'recovering', 'runId')
end

-- Why the ledger is lost for a client that expects this epoch; nil where it is not.
local function lostReason(state, epoch)
  if not state[EPOCH] then return 'empty' end
  if state[EPOCH] ~= epoch then return 'otherEpoch' end
  return nil
end

-- The server's run id: each start has another one, and a replica has its own. It has forty digits; a pattern would take
-- ten times as long to find them.
local function serverRunId()
  local info = call('INFO', 'server')
  local _, colon = string.find(info, 'run_id:', 1, true)
  return string.sub(info, colon + 1, colon + 40)
end

-- Begins a timeline: later changes are numbered from here, whatever numbers a lost history used.
local function beginTimeline(state, runId, now)
  local start = state[SEQUENCE] or '0'
  state[TIMELINE] = string.format('%s/%d/%s', runId, now, start)
  call('HSET', ledger, 'runId', runId, 'timeline', state[TIMELINE], 'timelineStart', start, 'sequence', start)
  call('DEL', prefix .. ':recovery')
end

-- Begins a recovery: any change may be lost, so every living incarnation is expected to replay its own.
local function beginRecovery(state, runId)
  local now = clock()
  beginTimeline(state, runId, now)
  state[RECOVERING] = string.format('%d', now)
  call('HSET', ledger, 'recovering', state[RECOVERING], 'sweepPausedUntil', string.format('%d', now + LEASE_MS))
  for _, incarnation in ipairs(call('ZRANGE', prefix .. ':beats', 0, -1)) do
    call('HSET', prefix .. ':recovery', incarnation, 'expected')
  end
end

-- The number of the client's last change, also after it was unregistered; false where none is known.
local function lastChangeOf(state, client)
  return state[LAST_CHANGE] or call('GET', prefix .. ':lastChange:' .. client)
end

-- Whether the ledger has lost a change of the client. Redis loses only the end of its log, so a client whose last change
-- is there has lost none. A client without a number has lost its registration, since unregistering keeps the number.
local function lacksChange(state, client, timeline, lastChange)
  return state[TIMELINE] == timeline and tonumber(lastChangeOf(state, client) or 0) < tonumber(lastChange)
end

-- Begins a recovery if Redis was restarted or failed over, or lacks a change of the client.
local function detectLoss(state, client, timeline, lastChange)
  local runId = serverRunId()
  if state[RUN_ID] ~= runId or lacksChange(state, client, timeline, lastChange) then beginRecovery(state, runId) end
end

-- Numbers a change. Returns the number only for a client that is known and has joined the timeline: only then does the
-- number say what the client need not replay.
local function number(state, client, timeline)
  local sequence = string.format('%d', (state[SEQUENCE] or 0) + 1)
  if state[LAST_CHANGE] and state[TIMELINE] == timeline then
    call('HSET', ledger, 'sequence', sequence, client, sequence)
    return sequence
  end
  call('HSET', ledger, 'sequence', sequence)
  local isKnown = state[TIMELINE] == timeline
    and call('SET', prefix .. ':lastChange:' .. client, sequence, 'XX', 'KEEPTTL')
  return isKnown and sequence
end

-- Unregisters an incarnation: it can reserve nothing more.
local function unregister(incarnation)
  local client = '@' .. incarnation
  local lastChange = call('HGET', ledger, client)
  if lastChange then call('SET', prefix .. ':lastChange:' .. client, lastChange, 'PX', RETENTION_MS) end
  call('HDEL', ledger, client)
  call('HDEL', prefix .. ':reports', incarnation)
end
