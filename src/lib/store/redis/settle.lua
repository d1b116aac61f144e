-- ARGV: identity key, call id, enrichment id, notes (JSON) or '', worker id or ''
-- Returns control now settled number | control now conflict key id. Frees the permit either way: the call is over.
local key, call, id, notes = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local now = clock()
free_permit(call)
local entry = read_entry(key)
if entry and entry.state == 'scheduled' then
  if entry.id == id then return report(now, 'settled', grow_number(ARGV[5])) end
  return report(now, 'conflict', key, entry.id)
end
local owner = redis.call('HGET', ids, id)
if owner and owner ~= key then return report(now, 'conflict', owner, id) end
-- Accepted all the same, or adopted from an orphan: no claim was counted for it.
if not is_counted(entry) then redis.call('INCR', spent_key) end
-- A row the ledger lost is known by its id alone, until a worker writes back what was sent.
entry = entry or { call = call, sent_at = math.floor(now), sends = 1, sent = NOTHING_SENT }
local scheduled_at = whole(math.floor(now))
entry.state, entry.id, entry.scheduled_at, entry.reason, entry.notes = 'scheduled', id, scheduled_at, '', notes
entry.final = ''
write_entry(key, entry)
redis.call('HSET', ids, id, key)
remove_orphan(id)
redis.call('ZADD', pending, scheduled_at, key)
return report(now, 'settled', grow_number(ARGV[5]))
