-- ARGV: identity key, enrichment id. Returns 1 when the row may be sent again (also by an earlier try of the same), else 0
-- A row that Zoho accepted and failed; a person asked for it again. Its id stays owned: it is no orphan.
local key, id = ARGV[1], ARGV[2]
local entry = read_entry(key)
if not entry then return { '0' } end
if entry.state == 'cleared' and redis.call('HGET', ids, id) == key then return { '1' } end
if entry.state ~= 'scheduled' or entry.id ~= id or entry.final ~= 'FAILED' then return { '0' } end
entry.state, entry.reason, entry.id, entry.scheduled_at, entry.final, entry.finished_at = 'cleared', '', '', '', '', ''
write_entry(key, entry)
note_past(key, id)
redis.call('ZREM', failed, key)
return { '1' }
