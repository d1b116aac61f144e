-- ARGV: what was spent at least, '' when the store knows best
-- Returns spent, claims and uncertain rows, held rows, now
local spent = read_spent()
local known = tonumber(ARGV[1])
if known and known > spent then
  spent = known
  redis.call('SET', spent_key, whole(spent))
end
local open = redis.call('ZCARD', sending) + redis.call('ZCARD', uncertain)
return { whole(spent), whole(open), whole(redis.call('ZCARD', held)), text(clock()) }
