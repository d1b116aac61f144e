-- ARGV: identity key, call id
-- Returns 1 when the held entry counts as taken by Zoho under an id nobody knows (also by an earlier try of the same), else 0
local key, call = ARGV[1], ARGV[2]
local entry = read_entry(key)
if not entry or entry.call ~= call then return { '0' } end
if entry.state == 'scheduled' and entry.id == '' then return { '1' } end
if entry.state ~= 'held' then return { '0' } end
local now = whole(math.floor(clock()))
entry.state, entry.reason, entry.scheduled_at, entry.final, entry.finished_at = 'scheduled', '', now, 'UNFINISHED', now
write_entry(key, entry)
return { '1' }
