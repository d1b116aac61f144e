-- KEYS[12]: the cell. ARGV: the JSON it must hold ('' for none), the JSON to put there
-- Returns changed (0/1), its JSON right after, now
local current = redis.call('GET', KEYS[12]) or ''
local now = text(clock())
if current ~= ARGV[1] then return { '0', current, now } end
redis.call('SET', KEYS[12], ARGV[2])
return { '1', ARGV[2], now }
