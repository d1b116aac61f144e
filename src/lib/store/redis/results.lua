-- ARGV: identity keys. Returns the data (JSON) of each, '' when there is none
local reply = redis.call('HMGET', results, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
