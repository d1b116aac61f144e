-- ARGV: scheduled at or after ms, limit. Returns key, entry line, ... oldest first
local reply = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', pending, ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
  reply[#reply + 1] = key
  reply[#reply + 1] = redis.call('HGET', ledger, key)
end
return reply
