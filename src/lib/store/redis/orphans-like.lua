-- ARGV: forms of echoes. Returns the ids of the orphans of each, separated by blanks
local reply = redis.call('HMGET', orphan_forms, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
