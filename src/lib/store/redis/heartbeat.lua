-- ARGV: worker id, lease ms, then of a worker its number, raise (0/1), steady (0/1), Zoho's clock or '', or four times '';
--       call ids
-- Returns control now number server history alive, ids of those alive ...
-- Renews only permits that exist: one that lapsed may be another call's by now.
local id, lease_ms, known = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = clock()
local lease_end = text(now + lease_ms)
for i = 7, #ARGV do
  if has_permit(now, ARGV[i]) then redis.call('ZADD', inflight, lease_end, ARGV[i]) end
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', workers, '-inf', text(now - LONG_AGO_MS))) do
  redis.call('HDEL', ledger, '#' .. gone)
  redis.call('ZREM', workers, gone)
end
if known then redis.call('ZREMRANGEBYSCORE', workers, text(latest_lease_end(now)), '+inf') end
redis.call('ZADD', workers, lease_end, id)

local history, history_json = read_history()
local server = server_identity()
local alive = redis.call('GET', alive_key) or ''
local number = number_of(id)
if known and (number >= known or ARGV[4] == '1') then
  number = math.max(number, known) + 1
  redis.call('HSET', ledger, '#' .. id, whole(number))
  -- What is lost was written after the last sign of life, so a store with a doubtful past gives none.
  if ARGV[5] == '1' and history and not is_looking(history) and history.server == server then
    local zoho = ARGV[6] ~= '' and ARGV[6] or alive:match(' (.*)$') or ''
    redis.call('SET', alive_key, text(now) .. ' ' .. zoho)
  end
end
return report(now, whole(number), server, history_json, alive,
  unpack(redis.call('ZRANGEBYSCORE', workers, '(' .. text(now), '+inf')))
