-- ARGV: worker id
redis.call('ZREM', workers, ARGV[1])
return {}
