-- Pace and permits: when a call may go. The pace is a GCRA without burst: `pace` is the theoretical arrival time of the next call.

local function spacing_ms(rate)
  return 1000 / (rate * USED_SHARE)
end

-- The slot to wait for, or nil when the call may go now. The second value is the slot it goes in.
local function pace_call(now, rate, slot)
  if rate <= 0 then return nil, nil end
  if slot then
    if now < slot - EARLY_MS then return slot, slot end
    if now <= slot + LATE_MS then return nil, slot end
  end
  local next_slot = tonumber(redis.call('GET', pace) or '0')
  if next_slot > now + FARTHEST_SLOT_MS then next_slot = 0 end
  slot = math.max(now, next_slot)
  redis.call('SET', pace, text(slot + spacing_ms(rate)))
  if slot > now + EARLY_MS then return slot, slot end
  return nil, slot
end

-- Only the last reserved slot can be given back: later ones are spoken for.
local function give_back_slot(rate, slot)
  if not slot then return end
  local next_slot = tonumber(redis.call('GET', pace) or '0')
  if math.abs(next_slot - slot - spacing_ms(rate)) < 0.01 then redis.call('SET', pace, text(slot)) end
end

local function latest_lease_end(now)
  return now + MAX_LEASE_MS + CLOCK_TOLERANCE_MS
end

local function has_permit(now, call)
  local lease_end = tonumber(redis.call('ZSCORE', inflight, call) or '0')
  return lease_end > now and lease_end <= latest_lease_end(now)
end

local function take_permit(now, call, permits, lease_ms)
  redis.call('ZREMRANGEBYSCORE', inflight, '-inf', text(now))
  redis.call('ZREMRANGEBYSCORE', inflight, text(latest_lease_end(now)), '+inf')
  if not has_permit(now, call) and redis.call('ZCARD', inflight) >= permits then return false end
  redis.call('ZADD', inflight, text(now + lease_ms), call)
  return true
end

local function free_permit(call)
  redis.call('ZREM', inflight, call)
end

-- Pace and permit for a call: nil when it may go, else the answer to give.
local function start_call(now, call, rate, permits, lease_ms, slot)
  local wait_for, used = pace_call(now, rate, slot)
  if wait_for then return { 'not-yet', text(wait_for - now), text(wait_for) } end
  if not take_permit(now, call, permits, lease_ms) then
    give_back_slot(rate, used)
    return { 'no-permit' }
  end
  return nil
end
