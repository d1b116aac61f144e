-- ARGV: identity key, call id, reason. Returns control now
local key, call = ARGV[1], ARGV[2]
local now = clock()
free_permit(call)
local entry = read_entry(key)
if entry and entry.call == call and entry.state == 'sending' then
  entry.state, entry.reason = 'uncertain', ARGV[3]
  write_entry(key, entry)
end
return report(now)
