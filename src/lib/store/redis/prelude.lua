-- Put in front of every script here. KEYS[1] is what all names begin with: they share one hash tag, so a script that is
-- given one of them runs where all of them are, on Redis Cluster too.
-- All are named on a cluster only (see redis-operations.ts), for it costs a client 3 microseconds a call.
--
-- ledger      hash    identity key -> entry line (see entry-line.ts): a field a line; #worker id -> that worker's number
-- ids         hash    enrichment id -> identity key: an id belongs to one key; '-' for one whose row is forgotten
-- past        hash    identity key -> ids it had before the present one, separated by blanks
-- aliases     hash    alias -> the identity keys that have it (see core/other-columns.ts), separated by blanks
-- sending     zset    identity key by time sent: claims
-- uncertain   zset    identity key by time sent
-- held        zset    identity key by time sent
-- pending     zset    identity key by time scheduled: submitted, result not collected yet
-- failed      zset    identity key by time finished: submitted, and Zoho's own work on it failed
-- enriched    zset    identity key by time finished: Zoho found something
-- notfound    zset    identity key by time finished: Zoho found nothing
-- inflight    zset    call id by end of its lease
-- workers     zset    worker id by end of its lease; kept for a day after it
-- pace        string  the next free slot, epoch milliseconds
-- spent       string  claims made, less those given back: what budget and reserve are measured by
-- control     string  JSON, the control state
-- results     hash    identity key -> JSON, what Zoho found
-- history     string  JSON, what is known of the store's past (see core/history.ts)
-- alive       string  the last sign of life: store's clock, and Zoho's or '', separated by a blank
-- orphans     hash    enrichment id -> a field a line: created at, held (0/1), digests (see core/reconcile.ts), rows that
--                     were found to equal it, echo (JSON)
-- digests     hash    digest of an echo's field -> ids of the orphans that have it, separated by blanks
local base = KEYS[1]
local ledger, ids, results = base .. ':ledger', base .. ':ids', base .. ':results'
local aliases, past = base .. ':aliases', base .. ':past'
local sending, uncertain, held = base .. ':sending', base .. ':uncertain', base .. ':held'
local pending, failed, inflight = base .. ':pending', base .. ':failed', base .. ':inflight'
local workers, pace, control_key = base .. ':workers', base .. ':pace', base .. ':document:control'
local history_key, alive_key = base .. ':document:history', base .. ':alive'
local orphans, orphan_digests = base .. ':orphans', base .. ':digests'
local spent_key = base .. ':spent'

-- Node's timers wake early by less than this; a call this early may go.
local EARLY_MS = 1
-- A slot used later than this could put limit + 1 calls into a sliding second: 2% of it is all there is to spare.
local LATE_MS = 12
-- A clock set back must not make the fleet wait for the old time.
local FARTHEST_SLOT_MS = 600000
-- The headroom that keeps any sliding second at Zoho's side within the limit.
local USED_SHARE = 0.98
local CANARY_WAIT_MS = 250
local CANARY_LEASE_MS = 10000
local LOOK_WAIT_MS = 1000
-- No permit, and no sign of life of a worker, is kept for longer: one that ends later is from before the clock was set back.
local MAX_LEASE_MS = 60000
-- A time further ahead than this is from before the clock was set back; how long ago it was, nobody knows.
local CLOCK_TOLERANCE_MS = 10000
local LONG_AGO_MS = 86400000
-- The number of a worker that ended without a word is kept for so long.
local FORGET_WORKER_MS = 86400000

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

local function text(ms)
  return string.format('%.3f', ms)
end

local function whole(number)
  return string.format('%.0f', number)
end

local function read_line(line)
  local f = {}
  for field in (line .. '\n'):gmatch('(.-)\n') do f[#f + 1] = field end
  return {
    state = f[1], call = f[2], sent_at = tonumber(f[3]), sends = tonumber(f[4]),
    id = f[5], scheduled_at = f[6], reason = f[7], sent = f[8], notes = f[9],
    final = f[10] or '', finished_at = f[11] or '',
  }
end

local function read_entry(key)
  local line = redis.call('HGET', ledger, key)
  return line and read_line(line) or nil
end

-- Puts a row among those that ended so.
local function note_end(key, e)
  local index = ({ COMPLETED = base .. ':enriched', DATA_NOT_FOUND = base .. ':notfound', FAILED = failed })[e.final]
  if index then redis.call('ZADD', index, e.finished_at, key) end
end

-- The answer of every script that lists entries: key, entry line, key, entry line, ...
local function with_lines(keys)
  local reply = {}
  for _, key in ipairs(keys) do
    local line = redis.call('HGET', ledger, key)
    -- An index may name a key whose entry is gone: moved away, or lost.
    if line then
      reply[#reply + 1] = key
      reply[#reply + 1] = line
    end
  end
  return reply
end

-- Writes the entry and keeps the index of its state right.
local function write_entry(key, e)
  local fields = { e.state, e.call, whole(e.sent_at), whole(e.sends), e.id, e.scheduled_at, e.reason, e.sent, e.notes }
  if e.final and e.final ~= '' then fields[10], fields[11] = e.final, e.finished_at end
  redis.call('HSET', ledger, key, table.concat(fields, '\n'))
  for state, index in pairs({ sending = sending, uncertain = uncertain, held = held }) do
    if state == e.state then
      redis.call('ZADD', index, whole(e.sent_at), key)
    else
      redis.call('ZREM', index, key)
    end
  end
end

-- Several rows may share a name: a few keys for each alias tell as much as all. A key whose entry is gone is harmless.
local MAX_ALIAS_OWNERS = 8

-- Lets an entry be found by its aliases, which are separated by blanks.
local function index_entry(key, entry_aliases)
  for alias in entry_aliases:gmatch('%S+') do
    local owners = redis.call('HGET', aliases, alias)
    if not owners then
      redis.call('HSET', aliases, alias, key)
    elseif not owners:find(key, 1, true) then
      local _, blanks = owners:gsub(' ', ' ')
      if blanks + 1 < MAX_ALIAS_OWNERS then redis.call('HSET', aliases, alias, owners .. ' ' .. key) end
    end
  end
end

-- The key stands for the aliases, separated by blanks, no more.
local function unindex_entry(key, entry_aliases)
  for alias in entry_aliases:gmatch('%S+') do
    local owners = {}
    for owner in (redis.call('HGET', aliases, alias) or ''):gmatch('%S+') do
      if owner ~= key then owners[#owners + 1] = owner end
    end
    if #owners == 0 then redis.call('HDEL', aliases, alias) else redis.call('HSET', aliases, alias, table.concat(owners, ' ')) end
  end
end

-- An id of a row that is sent again, or forgotten, stays owned: a look at Zoho would take it for an orphan.
local FORGOTTEN = '-'

local function note_past(key, id)
  local before = redis.call('HGET', past, key)
  redis.call('HSET', past, key, before and before .. ' ' .. id or id)
end

local function remove_entry(key)
  redis.call('HDEL', ledger, key)
  redis.call('ZREM', sending, key)
  redis.call('ZREM', uncertain, key)
  redis.call('ZREM', held, key)
end

-- BullMQ's job of a row: nil when there is none, else whether a worker has it, when it finished, and whether it failed.
-- `active` are the jobs that workers have.
local function read_job(queue, key, active)
  local job = queue .. ':' .. key
  local f = redis.call('HMGET', job, 'timestamp', 'finishedOn', 'failedReason')
  if not f[1] then return nil end
  local is_active = not f[2] and (active[key] or redis.call('EXISTS', job .. ':lock') == 1)
  return { is_active = is_active, finished_at = f[2] and tonumber(f[2]), has_failed = f[2] and f[3] and true }
end

local function active_jobs(queue)
  local active = {}
  for _, id in ipairs(redis.call('LRANGE', queue .. ':active', 0, -1)) do active[id] = true end
  return active
end

-- The oldest rows are at the end of the list, so it is searched from there.
local function remove_job(queue, key)
  local removed = 0
  for _, set in ipairs({ 'completed', 'failed', 'prioritized', 'delayed' }) do
    removed = removed + redis.call('ZREM', queue .. ':' .. set, key)
  end
  if removed == 0 and redis.call('LREM', queue .. ':wait', -1, key) == 0 then redis.call('LREM', queue .. ':paused', -1, key) end
  redis.call('DEL', queue .. ':' .. key, queue .. ':' .. key .. ':logs')
end

local function free_permit(call)
  redis.call('ZREM', inflight, call)
end

local function read_control()
  local json = redis.call('GET', control_key)
  if not json then return { epoch = 0, mode = 'running', backoffUntilMs = 0 }, '' end
  return cjson.decode(json), json
end

-- An optional number of a decoded document: JSON's null is not Lua's nil.
local function number_or(value, otherwise)
  if type(value) == 'number' then return value end
  return otherwise
end

local function read_spent()
  return tonumber(redis.call('GET', spent_key) or '0')
end

-- An entry that was made of an orphan has no claim here that was counted.
local function is_counted(entry)
  return entry ~= nil and entry.state ~= 'cleared' and entry.call:sub(1, 7) ~= 'orphan.'
end

local function give_back(entry)
  if is_counted(entry) then redis.call('DECR', spent_key) end
end

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

-- How long nothing may be sent.
local function backoff_left(now, control)
  if number_or(control.backoffSinceMs, 0) > now + CLOCK_TOLERANCE_MS then return 0 end
  return number_or(control.backoffUntilMs, 0) - now
end

local function take_permit(now, call, permits, lease_ms)
  redis.call('ZREMRANGEBYSCORE', inflight, '-inf', text(now))
  redis.call('ZREMRANGEBYSCORE', inflight, text(latest_lease_end(now)), '+inf')
  if not has_permit(now, call) and redis.call('ZCARD', inflight) >= permits then return false end
  redis.call('ZADD', inflight, text(now + lease_ms), call)
  return true
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

-- The process that serves the data and the history of its replication: a restart changes the one, each promotion the other.
-- Asked inside the script, which runs where the data is. '' where the server does not tell.
local function server_identity()
  local info = redis.pcall('INFO')
  if type(info) ~= 'string' then return '' end
  local run_id, replication = info:match('run_id:(%w+)'), info:match('master_replid:(%w+)')
  return run_id and run_id .. '/' .. (replication or '') or ''
end

local function read_history()
  local json = redis.call('GET', history_key)
  return json and cjson.decode(json) or nil, json or ''
end

local function is_looking(history)
  return history ~= nil and type(history.look) == 'table'
end

local function number_of(worker)
  return tonumber(redis.call('HGET', ledger, '#' .. worker) or '0')
end

-- '' for a caller that is no worker.
local function grow_number(worker)
  if worker == '' then return '0' end
  return whole(redis.call('HINCRBY', ledger, '#' .. worker, 1))
end

local function read_orphan(id)
  local line = redis.call('HGET', orphans, id)
  if not line then return nil end
  local f = {}
  for field in (line .. '\n'):gmatch('(.-)\n') do f[#f + 1] = field end
  return { id = id, created_at = f[1], held = f[2], digests = f[3], rows = f[4], echo = f[5] }
end

local function write_orphan(o)
  redis.call('HSET', orphans, o.id, table.concat({ o.created_at, o.held, o.digests, o.rows, o.echo }, '\n'))
end

local function change_digests(orphan, add)
  for digest in orphan.digests:gmatch('[^,]+') do
    local ids = {}
    for other in (redis.call('HGET', orphan_digests, digest) or ''):gmatch('%S+') do
      if other ~= orphan.id then ids[#ids + 1] = other end
    end
    if add then ids[#ids + 1] = orphan.id end
    if #ids == 0 then redis.call('HDEL', orphan_digests, digest) else redis.call('HSET', orphan_digests, digest, table.concat(ids, ' ')) end
  end
end

-- How sure it is that what has the one digests caused what has the others: 3 all are equal, 2 other columns, 1 a name alone, 0 not.
local function fit_of(one, other)
  if one == other then return 3 end
  local name, email, website = one:match('(.-),(.-),(.*)')
  local name2, email2, website2 = other:match('(.-),(.-),(.*)')
  local function differ(a, b) return a ~= '' and b ~= '' and a ~= b end
  if differ(name, name2) or differ(email, email2) or differ(website, website2) then return 0 end
  if website ~= '' and website == website2 then return 2 end
  if name == '' or name ~= name2 then return 0 end
  return email ~= '' and email == email2 and 2 or 1
end

-- The orphans that a row with these digests may have caused, the surest and oldest first, each with its fit.
local function orphans_like(digests)
  local found, seen = {}, {}
  for digest in digests:gmatch('[^,]+') do
    for id in (redis.call('HGET', orphan_digests, digest) or ''):gmatch('%S+') do
      local orphan = not seen[id] and read_orphan(id)
      seen[id] = true
      if orphan then
        orphan.fit = fit_of(digests, orphan.digests)
        if orphan.fit > 0 then found[#found + 1] = orphan end
      end
    end
  end
  table.sort(found, function(a, b)
    if a.fit ~= b.fit then return a.fit > b.fit end
    if a.created_at ~= b.created_at then return tonumber(a.created_at) < tonumber(b.created_at) end
    return a.id < b.id
  end)
  return found
end

-- The orphan that a row may have caused, and whether a person has to decide; nil when there is none. A row meets orphans of a
-- fit once: after that it was looked up, or a person has decided.
local function orphan_for(key, digests)
  local found, held
  for _, orphan in ipairs(orphans_like(digests)) do
    if found and orphan.fit < found.fit then break end
    if not orphan.rows:find(key, 1, true) then
      if not found then found, held = orphan, orphan.fit == 1 or orphan.held == '1' or orphan.rows ~= '' end
      orphan.rows = orphan.rows .. ' ' .. key
      write_orphan(orphan)
    end
  end
  return found, held
end

-- The id has an owner.
local function remove_orphan(id)
  local orphan = read_orphan(id)
  if not orphan then return end
  redis.call('HDEL', orphans, id)
  change_digests(orphan, false)
end

local function report(now, ...)
  return { redis.call('GET', control_key) or '', text(now), ... }
end

