-- What was spent.

local function read_spent()
  return tonumber(redis.call('GET', spent_key) or '0')
end

-- An entry that was made of an orphan has no claim here that was counted.
local function is_counted(entry)
  return entry ~= nil and entry.state ~= 'cleared' and entry.call:sub(1, 7) ~= 'orphan.'
end

local function give_back(entry)
  if is_counted(entry) then redis.call('DECR', spent_key) end
end
