-- ARGV: index (enriched | notfound), finished at or after ms, finished before ms, limit. Returns key, entry line, ... oldest first
return with_lines(redis.call('ZRANGEBYSCORE', base .. ':' .. ARGV[1], ARGV[2], '(' .. ARGV[3], 'LIMIT', 0, ARGV[4]))
