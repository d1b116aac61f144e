-- Time and numbers.

-- A time further ahead than this is from before the clock was set back; how long ago it was, nobody knows.
local CLOCK_TOLERANCE_MS = 10000
local LONG_AGO_MS = 86400000

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

local function text(ms)
  return string.format('%.3f', ms)
end

local function whole(number)
  return string.format('%.0f', number)
end

-- An optional number of a decoded document: JSON's null is not Lua's nil.
local function number_or(value, otherwise)
  if type(value) == 'number' then return value end
  return otherwise
end
