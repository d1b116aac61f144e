-- KEYS[13]: the cell. ARGV: the JSON it must hold ('' for none), the JSON to put there
-- Returns changed (0/1), its JSON right after, now
local current = redis.call('GET', KEYS[13]) or ''
local now = text(clock())
if current ~= ARGV[1] then return { '0', current, now } end
redis.call('SET', KEYS[13], ARGV[2])
return { '1', ARGV[2], now }
