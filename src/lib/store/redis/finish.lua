-- ARGV: identity key, final status, data (JSON) or '', enrichment id or ''
-- Returns 1 when the entry has this end (also by an earlier try of the same), else 0
-- A result of an id that the row had before, or that is forgotten, is dropped.
-- A row that was given up may still get its result; any other end is for good.
local key, status, data, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local entry = read_entry(key)
if not entry or entry.state ~= 'scheduled' then return { '0' } end
if id ~= '' and entry.id ~= id then return { '0' } end
if entry.final == status then return { '1' } end
if entry.final ~= '' and entry.final ~= 'UNFINISHED' then return { '0' } end
entry.final, entry.finished_at = status, whole(math.floor(clock()))
write_entry(key, entry)
-- What an earlier enrichment of the row found is kept until Zoho has said something else.
if data ~= '' then redis.call('HSET', results, key, data)
elseif status == 'COMPLETED' or status == 'DATA_NOT_FOUND' then redis.call('HDEL', results, key) end
redis.call('ZREM', pending, key)
note_end(key, entry)
return { '1' }
