-- ARGV: worker id. Returns how many are left alive, and how many claims
redis.call('ZREM', workers, ARGV[1])
redis.call('HDEL', ledger, '#' .. ARGV[1])
return { whole(redis.call('ZCOUNT', workers, '(' .. text(clock()), '+inf')), whole(redis.call('ZCARD', sending)) }
