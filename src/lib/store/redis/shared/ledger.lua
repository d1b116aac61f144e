-- Entries of the ledger, and what finds them.

-- In place of the fields sent, where nobody has told them.
local NOTHING_SENT = '{"module":""}'

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

local function remove_entry(key)
  redis.call('HDEL', ledger, key)
  redis.call('ZREM', sending, key)
  redis.call('ZREM', uncertain, key)
  redis.call('ZREM', held, key)
end

-- Lets an entry be found by its aliases, which are separated by blanks. A key whose entry is gone is harmless.
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
