-- Time and numbers.

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
