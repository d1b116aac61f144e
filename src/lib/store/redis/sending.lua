-- ARGV: limit. Returns key, entry line, ... oldest send first
return with_lines(redis.call('ZRANGE', sending, 0, ARGV[1] - 1))
