-- The control state, which scripts only read.

local function read_control()
  local json = redis.call('GET', control_key)
  if not json then return { epoch = 0, mode = 'running', backoffUntilMs = 0 }, '' end
  return cjson.decode(json), json
end

-- How long nothing may be sent.
local function backoff_left(now, control)
  if number_or(control.backoffSinceMs, 0) > now + CLOCK_TOLERANCE_MS then return 0 end
  return number_or(control.backoffUntilMs, 0) - now
end

local function report(now, ...)
  return { redis.call('GET', control_key) or '', text(now), ... }
end
