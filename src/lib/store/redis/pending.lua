-- ARGV: scheduled at or after ms, limit. Returns key, entry line, ... oldest first
return with_lines(redis.call('ZRANGEBYSCORE', pending, ARGV[1], '+inf', 'LIMIT', 0, ARGV[2]))
