-- ARGV: the cell's name. Returns its JSON or '', now
return { redis.call('GET', base .. ':cell:' .. ARGV[1]) or '', text(clock()) }
