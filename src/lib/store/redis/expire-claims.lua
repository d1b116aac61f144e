-- ARGV: claim lost after ms, limit. Returns the keys marked
local lost = redis.call('ZRANGEBYSCORE', sending, '-inf', text(clock() - ARGV[1]), 'LIMIT', 0, ARGV[2])
for _, key in ipairs(lost) do
  local entry = read_entry(key)
  entry.state, entry.reason = 'uncertain', 'CLAIM_LOST'
  write_entry(key, entry)
end
return lost
