-- ARGV: aliases. Returns for each the keys that have it, separated by blanks, '' when none has
local reply = redis.call('HMGET', aliases, unpack(ARGV))
for i = 1, #ARGV do reply[i] = reply[i] or '' end
return reply
