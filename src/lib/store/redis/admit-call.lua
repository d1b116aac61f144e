-- ARGV: call id, calls per second, permits, lease ms, slot ms or ''
-- Returns go | not-yet ms slot | no-permit | held-back control ms
local call, rate, permits, lease_ms, slot = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local now = clock()
local control, control_json = read_control()
local backoff_ms = backoff_left(now, control)

if has_permit(now, call) then
  redis.call('ZADD', inflight, text(now + lease_ms), call)
  return { 'go' }
end
if backoff_ms > 0 then return { 'held-back', control_json, text(backoff_ms) } end
local refused = start_call(now, call, rate, math.min(permits, number_or(control.maxInFlight, permits)), lease_ms, slot)
return refused or { 'go' }
