-- ARGV: the document's name. Returns its JSON or '', now
return { redis.call('GET', base .. ':document:' .. ARGV[1]) or '', text(clock()) }
