-- KEYS[13]: the cell. Returns its JSON or '', now
return { redis.call('GET', KEYS[13]) or '', text(clock()) }
