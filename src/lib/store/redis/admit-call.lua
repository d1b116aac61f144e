-- ARGV: call id, calls per second, places, lease ms, slot ms or ''
-- Returns go | wait ms slot | busy | standby control ms
local call, rate, places, lease_ms, slot = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = clock()
local control, control_json = read_control()
local hold_ms = hold_left(now, control)

if has_place(now, call, lease_ms) then
  redis.call('ZADD', inflight, text(now + lease_ms), call)
  return { 'go' }
end
if hold_ms > 0 then return { 'standby', control_json, text(hold_ms) } end
local refused = start_call(now, call, rate, math.min(places, number_or(control.maxInFlight, places)), lease_ms, slot)
return refused or { 'go' }
