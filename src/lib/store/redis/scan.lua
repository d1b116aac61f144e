-- ARGV: cursor or '' to start, about how many. Returns cursor or '' at the end, key, entry line, key, entry line, ...
local start = ARGV[1]
if start == '' then start = '0' end
local page = redis.call('HSCAN', ledger, start, 'COUNT', ARGV[2])
local reply = { page[1] == '0' and '' or page[1] }
for i = 1, #page[2], 2 do
  -- The numbers of workers are no entries.
  if page[2][i]:sub(1, 1) ~= '#' then
    reply[#reply + 1] = page[2][i]
    reply[#reply + 1] = page[2][i + 1]
  end
end
return reply
