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

-- The number of the client's last change, also after it was unregistered; false where none is known.
local function lastChangeOf(state, client)
  return state[LAST_CHANGE] or call('GET', prefix .. ':lastChange:' .. client)
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
