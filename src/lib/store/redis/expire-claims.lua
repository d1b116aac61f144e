-- ARGV: claim lost after ms, limit. Returns the keys marked
-- A claim, or an uncertain row, of a time to come is from before the clock was set back: it was sent nobody knows when.
local now, limit = clock(), tonumber(ARGV[2])
local lost = redis.call('ZRANGEBYSCORE', sending, '-inf', text(now - ARGV[1]), 'LIMIT', 0, limit)
for _, index in ipairs({ sending, uncertain }) do
  local late = redis.call('ZRANGEBYSCORE', index, text(now + CLOCK_TOLERANCE_MS), '+inf', 'LIMIT', 0, limit)
  for _, key in ipairs(late) do
    local entry = read_entry(key)
    entry.sent_at = math.floor(now - LONG_AGO_MS)
    write_entry(key, entry)
    if index == sending then lost[#lost + 1] = key end
  end
end
for _, key in ipairs(lost) do
  local entry = read_entry(key)
  entry.state, entry.reason = 'uncertain', 'CLAIM_LOST'
  write_entry(key, entry)
end
return lost
