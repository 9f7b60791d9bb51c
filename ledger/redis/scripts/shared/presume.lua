-- For scripts that make calls presumed, or end that.

-- The record of a call that was resolved without its cost: booked at its worst case, or released.
local function resolvedRecord(id, worst)
  local state = worst == '0' and STATE_RELEASED or STATE_BOOKED
  return cjson.encode({ [FIELD_ID] = id, [FIELD_STATE] = state, [FIELD_COST] = worst, [FIELD_ESTIMATED] = true })
end

-- Makes all that an open lease reserves presumed. Its gap stays: the call may have cost more than was reserved for it.
local function sweepLease(id, lease)
  local gap = lease[3]
  lease[3] = '0'
  replace(lease, '0', lease[2], '0')
  lease[3] = gap
  presume(id, lease, 'swept', lease[2])
end

-- Turns a presumed or booked lease back into an open one.
local function reopen(lease)
  local back = difference('0', lease[2])
  move(lease, lease[1] == 'booked' and back or '0', lease[1] ~= 'open' and back or '0', '0', '0')
  lease[1] = 'open'
end
