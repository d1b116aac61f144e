-- ARGV: limit. Returns key, entry line, ... latest first
return with_lines(redis.call('ZREVRANGE', failed, 0, ARGV[1] - 1))
