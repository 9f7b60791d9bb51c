-- For scripts that take part in a recovery.

-- Ends a recovery that is due: every incarnation has replayed its changes, or was waited for long enough. If changes were
-- lost and an incarnation does not come back, it may know of more: then the recovery is deep and waits for the operator.
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
