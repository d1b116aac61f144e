-- ARGV: identity key, call id, fields sent (JSON), calls per second, places, lease ms, claim lost after ms, slot ms or '',
--       aliases of the fields sent
-- Returns go epoch sentAt sends | wait ms slot | busy | standby control ms-or-'' [reason] | probe-open control
--       | scheduled id | pending ms | uncertain held(0/1)
local key, call, sent = ARGV[1], ARGV[2], ARGV[3]
local rate, places, lease_ms, lost_after_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local slot = tonumber(ARGV[8])
local now = clock()
local entry = read_entry(key)
local control, control_json = read_control()

if entry then
  if entry.state == 'scheduled' then return { 'scheduled', entry.id } end
  if entry.state == 'uncertain' then return { 'uncertain', '0' } end
  if entry.state == 'held' then return { 'uncertain', '1' } end
  if entry.state == 'sending' then
    if entry.call == call then
      redis.call('ZADD', inflight, text(now + lease_ms), call)
      return { 'go', whole(control.epoch), whole(entry.sent_at), whole(entry.sends) }
    end
    local left = entry.sent_at + lost_after_ms - now
    if left > 0 then return { 'pending', text(left) } end
    entry.state, entry.reason = 'uncertain', 'CLAIM_LOST'
    write_entry(key, entry)
    return { 'uncertain', '0' }
  end
end

if control.mode == 'stopped' then return { 'standby', control_json, '' } end
local hold_until = number_or(control.holdUntilMs, 0)
if hold_until > now then return { 'standby', control_json, text(hold_until - now) } end
if server_changed() then return { 'standby', control_json, text(SERVER_WAIT_MS), 'server-changed' } end
if control.mode == 'probing' and type(control.probe) == 'table' then
  local probe = control.probe
  if type(probe.key) ~= 'string' then return { 'probe-open', control_json } end
  if probe.key ~= key or probe.callId ~= call then
    if probe.leaseUntilMs < now and not has_place(now, probe.callId) then return { 'probe-open', control_json } end
    return { 'standby', control_json, text(PROBE_WAIT_MS) }
  end
end

local refused = start_call(now, call, rate, math.min(places, number_or(control.maxInFlight, places)), lease_ms, slot)
if refused then return refused end
local sends = entry and entry.sends + 1 or 1
local sent_at = math.floor(now)
write_entry(key, {
  state = 'sending', call = call, sent_at = sent_at, sends = sends,
  id = '', scheduled_at = '', reason = '', sent = sent, notes = '',
})
index_entry(key, ARGV[9])
return { 'go', whole(control.epoch), whole(sent_at), whole(sends) }
