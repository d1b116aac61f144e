-- ARGV: a JSON object (see AdmitArgs in operations.ts)
-- Returns go epoch sentAt sends number spent | not-yet ms slot | no-permit | held-back control ms-or-'' [reason]
--       | canary-open control
--       | scheduled id | claimed ms | uncertain held(0/1) | rivals keys

-- The ceiling that another claim would be above: nil when none is, else budget, reserve or allowance (Zoho has not told it), and
-- how long to wait, '' when nothing that is under way can give any back. `keep` is what is to be left of the allowance, 0 for none.
local function ceiling_for(now, control, keep)
  local budget = type(control.budget) == 'table' and number_or(control.budget.ceiling, nil) or nil
  if not budget and keep == 0 then return nil end
  local spent = read_spent()
  if budget and spent >= budget then
    local may_return = redis.call('ZCARD', sending) + redis.call('ZCARD', uncertain) > 0
    return 'budget', may_return and text(SPENT_WAIT_MS) or ''
  end
  if keep == 0 then return nil end
  local reserve = control.reserve
  if type(reserve) ~= 'table' or reserve.askedAtMs < now - ALLOWANCE_GOOD_MS
      or reserve.askedAtMs > now + CLOCK_TOLERANCE_MS then
    return 'allowance', text(SPENT_WAIT_MS)
  end
  if spent < reserve.ceiling - keep then return nil end
  -- Final when Zoho was asked with nothing under way, and nothing was claimed since.
  local is_final = reserve.quiet == true and reserve.spent == spent
  return 'reserve', is_final and '' or text(SPENT_WAIT_MS)
end

-- A row whose result is older than was asked for is as one that was never sent.
local function is_to_refresh(entry, before)
  if not before or (entry.final ~= 'COMPLETED' and entry.final ~= 'DATA_NOT_FOUND') then return false end
  return (tonumber(entry.finished_at) or before) < before
end

-- Its id stays owned, and its result until the next one comes.
local function leave_earlier(key, entry)
  if not entry or entry.state ~= 'scheduled' then return end
  if entry.id ~= '' then note_past(key, entry.id) end
  redis.call('ZREM', base .. ':enriched', key)
  redis.call('ZREM', base .. ':notfound', key)
end

-- The answer to a row that was sent under other columns; the keys that the caller has to judge first; or nil.
local function rival_of(now, a)
  local unknown = { 'rivals' }
  for alias in a.aliases:gmatch('%S+') do
    for owner in (redis.call('HGET', aliases, alias) or ''):gmatch('%S+') do
      if owner ~= a.key and not a.others:find(owner, 1, true) then
        if not a.fits:find(owner, 1, true) then
          unknown[#unknown + 1] = owner
        else
          local other = read_entry(owner) or {}
          if other.state == 'scheduled' then return { 'scheduled', other.id } end
          if other.state == 'uncertain' or other.state == 'held' then return { 'uncertain', other.state == 'held' and '1' or '0' } end
          if other.state == 'sending' then
            return { 'claimed', text(math.max(other.sent_at + a.lostAfterMs - now, RIVAL_WAIT_MS)) }
          end
        end
      end
    end
  end
  return unknown[2] and unknown or nil
end

local a = cjson.decode(ARGV[1])
local key, call = a.key, a.callId
local now = clock()
local entry = read_entry(key)
local control, control_json = read_control()

if entry then
  if entry.state == 'scheduled' and not is_to_refresh(entry, number_or(a.refreshBefore, nil)) then return { 'scheduled', entry.id } end
  if entry.state == 'uncertain' then return { 'uncertain', '0' } end
  if entry.state == 'held' then return { 'uncertain', '1' } end
  -- Unreadable, or of a newer version: it may have been sent.
  if entry.state ~= 'sending' and entry.state ~= 'cleared' and entry.state ~= 'scheduled' then return { 'uncertain', '1' } end
  if entry.state == 'sending' then
    if entry.call == call then
      redis.call('ZADD', inflight, text(now + a.leaseMs), call)
      return { 'go', whole(control.epoch), whole(entry.sent_at), whole(entry.sends), grow_number(a.worker), whole(read_spent()) }
    end
    local left = entry.sent_at + a.lostAfterMs - now
    local is_late = entry.sent_at > now + CLOCK_TOLERANCE_MS
    if left > 0 and not is_late then return { 'claimed', text(left) } end
    if is_late then entry.sent_at = math.floor(now - LONG_AGO_MS) end
    entry.state, entry.reason = 'uncertain', 'CLAIM_LOST'
    write_entry(key, entry)
    return { 'uncertain', '0' }
  end
end

if control.mode == 'stopped' then return { 'held-back', control_json, '' } end
local backoff_ms = backoff_left(now, control)
if backoff_ms > 0 then return { 'held-back', control_json, text(backoff_ms) } end
-- The store went back in time, or that is being looked into: what Zoho has is not known.
if is_looking(read_history()) or (a.worker ~= '' and number_of(a.worker) < a.number) then
  return { 'held-back', control_json, text(LOOK_WAIT_MS), 'looking' }
end
if a.mayBeKnown and (not entry or entry.state == 'cleared') then
  local rival = rival_of(now, a)
  if rival then return rival end
end
local orphan, held = orphan_for(key, a.digests)
if orphan then
  held = held or a.choice
  leave_earlier(key, entry)
  write_entry(key, {
    state = held and 'held' or 'uncertain', call = 'orphan.' .. orphan.id, sent_at = tonumber(orphan.created_at),
    sends = entry and entry.sends or 1, id = '', scheduled_at = '',
    reason = held and (orphan.held == '1' and 'LOOKUP_UNPROVEN' or 'AMBIGUOUS') or 'ORPHAN',
    sent = a.place:sub(1, -2) .. ',' .. orphan.echo:sub(2), notes = '',
  })
  index_entry(key, a.aliases)
  return { 'uncertain', held and '1' or '0' }
end
local ceiling, ceiling_wait = ceiling_for(now, control, a.keep)
if ceiling then return { 'held-back', control_json, ceiling_wait, ceiling } end
if control.mode == 'canary' and type(control.canary) == 'table' then
  local canary = control.canary
  if type(canary.key) ~= 'string' then return { 'canary-open', control_json } end
  if canary.key ~= key or canary.callId ~= call then
    local is_leased = canary.leaseUntilMs >= now and canary.leaseUntilMs <= now + CANARY_LEASE_MS + CLOCK_TOLERANCE_MS
    if not is_leased and not has_permit(now, canary.callId) then return { 'canary-open', control_json } end
    return { 'held-back', control_json, text(CANARY_WAIT_MS) }
  end
end

local permits = math.min(a.maxInFlight, number_or(control.maxInFlight, a.maxInFlight))
local refused = start_call(now, call, a.callsPerSecond, permits, a.leaseMs, number_or(a.slotMs, nil))
if refused then return refused end
local sends = entry and entry.sends + 1 or 1
local sent_at = math.floor(now)
leave_earlier(key, entry)
write_entry(key, {
  state = 'sending', call = call, sent_at = sent_at, sends = sends,
  id = '', scheduled_at = '', reason = '', sent = a.sent, notes = '',
})
index_entry(key, a.aliases)
local spent = redis.call('INCR', spent_key)
return { 'go', whole(control.epoch), whole(sent_at), whole(sends), grow_number(a.worker), whole(spent) }
