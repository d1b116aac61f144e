-- ARGV: identity key, call id, reason. Returns 1 when the entry is held (also by an earlier try of the same), else 0
local key, call = ARGV[1], ARGV[2]
local entry = read_entry(key)
if not entry or entry.call ~= call then return { '0' } end
if entry.state == 'held' then return { '1' } end
if entry.state ~= 'uncertain' then return { '0' } end
entry.state, entry.reason = 'held', ARGV[3]
write_entry(key, entry)
return { '1' }
