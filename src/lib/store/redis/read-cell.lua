-- KEYS[12]: the cell. Returns its JSON or '', now
return { redis.call('GET', KEYS[12]) or '', text(clock()) }
