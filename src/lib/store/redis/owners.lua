-- ARGV: enrichment ids. Returns the key of each, '' when it belongs to none
local reply = redis.call('HMGET', ids, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
