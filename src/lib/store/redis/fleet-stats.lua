-- Returns workers inflight with-data
local alive = '(' .. text(clock())
return {
  whole(redis.call('ZCOUNT', workers, alive, '+inf')), whole(redis.call('ZCOUNT', inflight, alive, '+inf')),
  whole(redis.call('HLEN', results)),
}
