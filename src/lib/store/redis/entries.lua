-- ARGV: identity keys. Returns the entry line of each, '' when absent
local reply = redis.call('HMGET', ledger, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
