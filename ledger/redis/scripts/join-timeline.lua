#!lua flags=allow-oom
-- A client has replayed all that the ledger may have lost, and joins its timeline.
-- ARGV: incarnation, epoch, timeline, last change, whether the ledger lacked a change (1 or 0), the highest sequence that
-- the client ever saw, the highest that it saw a lease before its last heartbeat, why it could not replay all ('' if it
-- could), how many earlier incarnations it had, those, then the other incarnations that it knows.
local incarnation, timeline = ARGV[1], ARGV[3]
local client, recovery = '@' .. incarnation, prefix .. ':recovery'

local state = stateOf(client)
local reason = lostReason(state, ARGV[2])
if reason then return { 'lost', reason } end
local runId = serverRunId()
-- Redis failed once more, or the client was swept: its next heartbeat says so.
if state[RUN_ID] ~= runId or state[TIMELINE] ~= timeline or not state[LAST_CHANGE] then return { 'again' } end

local start = tonumber(call('HGET', ledger, 'timelineStart'))
local deep = ARGV[8]
if deep == '' and tonumber(ARGV[7]) > start then deep = 'tooOld' end
if deep ~= '' and not state[RECOVERING] then
  -- The recovery ended without this client.
  beginRecovery(state, runId)
  call('HSETNX', ledger, 'deep', deep)
  return { 'again' }
end

local sequence = number(state, client, timeline)
if state[RECOVERING] then
  if deep ~= '' then call('HSETNX', ledger, 'deep', deep) end
  if ARGV[5] == '1' or tonumber(ARGV[6]) > start then call('HSET', ledger, 'hadMissing', '1') end
  local last = 9 + tonumber(ARGV[9])
  for i = 10, last do call('HSET', recovery, ARGV[i], 'replayed') end
  for i = last + 1, #ARGV do call('HSETNX', recovery, ARGV[i], 'expected') end
  call('HSET', recovery, incarnation, 'replayed')
  endIfDue(state, clock())
end
return { state[RECOVERING] and 'recovering' or 'alive', sequence }
