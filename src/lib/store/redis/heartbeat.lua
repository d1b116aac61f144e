-- ARGV: worker id, lease ms, call ids. Returns control now workers
-- Renews only places that exist: one that lapsed may be another call's by now.
local now = clock()
local lease_end = text(now + ARGV[2])
for i = 3, #ARGV do
  if has_place(now, ARGV[i]) then redis.call('ZADD', inflight, lease_end, ARGV[i]) end
end
redis.call('ZREMRANGEBYSCORE', workers, '-inf', text(now))
redis.call('ZADD', workers, lease_end, ARGV[1])
return report(now, whole(redis.call('ZCARD', workers)))
