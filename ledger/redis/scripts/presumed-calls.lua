-- For scripts that make calls presumed, or end that.

-- A record of a call whose cost was decided without knowing it: booked at its worst, or released.
local function decidedRecord(id, worst)
  local state = worst == '0' and STATE_RELEASED or STATE_BOOKED
  return cjson.encode({ [FIELD_ID] = id, [FIELD_STATE] = state, [FIELD_COST] = worst, [FIELD_ESTIMATED] = true })
end

-- Makes all that an open lease holds certain. Its gap stays: it may have cost more than was reserved for it.
local function sweep(id, lease)
  local gap = lease[3]
  lease[3] = '0'
  replace(lease, '0', lease[2], '0')
  lease[3] = gap
  presume(id, lease, 'swept', lease[2])
end

-- Takes back what made a lease certain, as if its call were in flight again.
local function reopen(lease)
  local back = difference('0', lease[2])
  move(lease, lease[1] == 'booked' and back or '0', lease[1] ~= 'open' and back or '0', '0', '0')
  lease[1] = 'open'
end
