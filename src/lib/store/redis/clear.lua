-- ARGV: identity key, call id. Returns 1 when the entry is cleared (also by an earlier try of the same), else 0
local key, call = ARGV[1], ARGV[2]
local entry = read_entry(key)
if not entry or entry.call ~= call then return { '0' } end
if entry.state == 'cleared' then return { '1' } end
if entry.state ~= 'uncertain' and entry.state ~= 'held' then return { '0' } end
give_back(entry)
entry.state, entry.reason = 'cleared', ''
write_entry(key, entry)
return { '1' }
