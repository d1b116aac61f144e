-- ARGV: with held (0/1), limit. Returns key, entry line, ... oldest send first
local limit = tonumber(ARGV[2])
local found = {}
local function collect(index)
  local members = redis.call('ZRANGE', index, 0, limit - 1, 'WITHSCORES')
  for i = 1, #members, 2 do found[#found + 1] = { key = members[i], at = tonumber(members[i + 1]) } end
end
collect(uncertain)
if ARGV[1] == '1' then collect(held) end
table.sort(found, function(a, b)
  if a.at ~= b.at then return a.at < b.at end
  return a.key < b.key
end)
local keys = {}
for i = 1, math.min(limit, #found) do keys[i] = found[i].key end
return with_lines(keys)
