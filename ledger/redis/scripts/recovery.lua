-- For scripts that take part in a recovery.

-- Ends a recovery that is due: everybody has told what they did, or has been waited for long enough. Whoever stays away
-- although the ledger lost something may have taken it along: that is for the operator.
local function advance(state, now)
  local deep, short = unpack(call('HMGET', ledger, 'deep', 'short'))
  if deep then return end
  local isMissing = false
  for _, standing in ipairs(call('HVALS', prefix .. ':recovery')) do isMissing = isMissing or standing == 'expected' end
  local waited = now - state[RECOVERING]
  if waited < MIN_RECOVERY_MS or (isMissing and waited < REPLAY_TIMEOUT_MS) then return end
  if isMissing and short then
    call('HSET', ledger, 'deep', 'silentGateway')
    return
  end
  call('HDEL', ledger, 'recovering', 'short')
  call('DEL', prefix .. ':recovery')
  state[RECOVERING] = false
end
