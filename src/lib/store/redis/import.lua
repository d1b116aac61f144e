-- ARGV: for each entry fourteen: identity key, state, call id, sent at, sends, enrichment id or '', scheduled at or '', reason,
--       fields sent (JSON), notes (JSON) or '', final status or '', finished at or '',
--       result (JSON) or '', aliases of the fields sent
-- Returns for each: added | stronger | known | conflict | forgotten. What is here gives way to what says more only.
local FIELDS = 14
local STRENGTH = { cleared = 1, uncertain = 2, held = 3, sending = 4, scheduled = 5 }

local function is_finished(entry)
  return entry.final ~= '' and entry.final ~= 'UNFINISHED'
end

local function says_more(given, entry)
  if STRENGTH[given.state] ~= STRENGTH[entry.state] then return STRENGTH[given.state] > STRENGTH[entry.state] end
  return given.state == 'scheduled' and is_finished(given) and not is_finished(entry)
end

local function import(key, given, result, entry_aliases)
  local entry = read_entry(key)
  local owner = given.id ~= '' and redis.call('HGET', ids, given.id)
  if owner == FORGOTTEN then return 'forgotten' end
  if owner and owner ~= key then return 'conflict' end
  -- The row was sent again since.
  if owner and entry and entry.id ~= given.id then return 'known' end
  if entry and entry.state == 'scheduled' and given.state == 'scheduled' and entry.id ~= given.id then
    return 'conflict'
  end
  if entry and not says_more(given, entry) then
    if entry.sent ~= NOTHING_SENT or entry.id ~= given.id then return 'known' end
    -- Settled after its claim was lost: what was sent is all that it lacks.
    entry.sent = given.sent
    write_entry(key, entry)
    index_entry(key, entry_aliases)
    return 'stronger'
  end
  if entry then given.sends = math.max(entry.sends, given.sends) end
  -- What may be given back later is counted; what is at Zoho was counted where it was sent.
  if given.state ~= 'scheduled' and is_counted(given) and not is_counted(entry) then redis.call('INCR', spent_key) end
  write_entry(key, given)
  index_entry(key, entry_aliases)
  if given.state == 'scheduled' then
    if given.id ~= '' then
      redis.call('HSET', ids, given.id, key)
      remove_orphan(given.id)
    end
    if given.final == '' then
      redis.call('ZADD', pending, given.scheduled_at, key)
    else
      redis.call('ZREM', pending, key)
    end
    note_end(key, given)
    -- It may have finished before the rows whose values are to be removed next.
    if given.final ~= '' then redis.call('DEL', base .. ':document:retention') end
    if result ~= '' then redis.call('HSET', results, key, result) end
  end
  return entry and 'stronger' or 'added'
end

local reply = {}
for i = 1, #ARGV, FIELDS do
  reply[#reply + 1] = import(ARGV[i], {
    state = ARGV[i + 1], call = ARGV[i + 2], sent_at = tonumber(ARGV[i + 3]), sends = tonumber(ARGV[i + 4]),
    id = ARGV[i + 5], scheduled_at = ARGV[i + 6], reason = ARGV[i + 7], sent = ARGV[i + 8], notes = ARGV[i + 9],
    final = ARGV[i + 10], finished_at = ARGV[i + 11],
  }, ARGV[i + 12], ARGV[i + 13])
end
return reply
