-- ARGV: enrichment ids. Returns for each orphan among them its fields, a field a line, '' for any other
local reply = redis.call('HMGET', orphans, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
