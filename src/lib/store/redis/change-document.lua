-- ARGV: the document's name, the JSON it must hold ('' for none), the JSON to put there
-- Returns changed (0/1), its JSON right after, now
local document = base .. ':document:' .. ARGV[1]
local current = redis.call('GET', document) or ''
local now = text(clock())
if current ~= ARGV[2] then return { '0', current, now } end
redis.call('SET', document, ARGV[3])
return { '1', ARGV[3], now }
