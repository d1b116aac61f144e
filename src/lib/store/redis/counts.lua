-- Returns scheduled sending uncertain held pending failed orphans
return {
  whole(redis.call('HLEN', ids)), whole(redis.call('ZCARD', sending)),
  whole(redis.call('ZCARD', uncertain)), whole(redis.call('ZCARD', held)),
  whole(redis.call('ZCARD', pending)), whole(redis.call('ZCARD', failed)),
  whole(redis.call('HLEN', orphans)),
}
