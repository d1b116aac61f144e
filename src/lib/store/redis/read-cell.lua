-- KEYS[11]: the cell. Returns its JSON or '', now
return { redis.call('GET', KEYS[11]) or '', text(clock()) }
