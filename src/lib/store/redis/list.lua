-- ARGV: index (sending | uncertain | held | pending | failed | enriched | notfound), offset, limit
-- Returns total, then key, entry line, ... newest first
local index = base .. ':' .. ARGV[1]
local reply = with_lines(redis.call('ZREVRANGE', index, ARGV[2], ARGV[2] + ARGV[3] - 1))
table.insert(reply, 1, whole(redis.call('ZCARD', index)))
return reply
