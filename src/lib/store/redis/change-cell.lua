-- The last of KEYS: the cell. ARGV: the JSON it must hold ('' for none), the JSON to put there
-- Returns changed (0/1), its JSON right after, now
local cell = KEYS[#KEYS]
local current = redis.call('GET', cell) or ''
local now = text(clock())
if current ~= ARGV[1] then return { '0', current, now } end
redis.call('SET', cell, ARGV[2])
return { '1', ARGV[2], now }
