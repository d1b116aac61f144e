-- ARGV: text (its ASCII letters in lower case), cursor, entries to look through
-- Returns the next cursor ('' at the end), then key, entry line, ... of those with the text in a value sent or in their id
local wanted = ARGV[1]

local function has(value)
  return type(value) == 'string' and value:lower():find(wanted, 1, true) ~= nil
end

local next_cursor, pairs_found = unpack(redis.call('HSCAN', ledger, ARGV[2], 'COUNT', ARGV[3]))
local reply = { next_cursor == '0' and '' or next_cursor }
for i = 1, #pairs_found, 2 do
  local line = pairs_found[i + 1]
  -- Most lines do not have the text at all, and are not looked at any closer.
  if line:lower():find(wanted, 1, true) then
    local entry = read_line(line)
    local sent = cjson.decode(entry.sent)
    if has(sent.name) or has(sent.email) or has(sent.website) or has(sent.recordId) or has(entry.id) then
      reply[#reply + 1], reply[#reply + 2] = pairs_found[i], line
    end
  end
end
return reply
