-- ARGV: limit. Returns key, entry line, ... oldest send first
local reply = {}
for _, key in ipairs(redis.call('ZRANGE', sending, 0, ARGV[1] - 1)) do
  reply[#reply + 1] = key
  reply[#reply + 1] = redis.call('HGET', ledger, key)
end
return reply
