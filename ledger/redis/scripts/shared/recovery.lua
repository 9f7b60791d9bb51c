-- For scripts that begin a timeline, begin or end a recovery, or notice that the ledger has lost changes.

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

-- Ends the recovery after MIN_RECOVERY_MS if every incarnation has replayed its changes, else after REPLAY_TIMEOUT_MS. If
-- an incarnation has not replayed by then and the ledger had lost a change of another one, it may lack more: the recovery
-- becomes deep, and the operator ends it.
local function endIfDue(state, now)
  local deep, hadMissing = unpack(call('HMGET', ledger, 'deep', 'hadMissing'))
  if deep then return end
  local isExpecting = false
  for _, status in ipairs(call('HVALS', prefix .. ':recovery')) do isExpecting = isExpecting or status == 'expected' end
  local waited = now - state[RECOVERING]
  if waited < MIN_RECOVERY_MS or (isExpecting and waited < REPLAY_TIMEOUT_MS) then return end
  if isExpecting and hadMissing then
    call('HSET', ledger, 'deep', 'silentGateway')
    return
  end
  call('HDEL', ledger, 'recovering', 'hadMissing')
  call('DEL', prefix .. ':recovery')
  state[RECOVERING] = false
end
