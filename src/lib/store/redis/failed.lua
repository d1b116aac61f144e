-- ARGV: limit. Returns key, entry line, ... latest first
local reply = {}
for _, key in ipairs(redis.call('ZREVRANGE', failed, 0, ARGV[1] - 1)) do
  reply[#reply + 1] = key
  reply[#reply + 1] = redis.call('HGET', ledger, key)
end
return reply
