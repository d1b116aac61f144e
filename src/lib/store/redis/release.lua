-- ARGV: identity key, call id. Returns control now
-- An answer that comes after the claim was marked as lost still proves that Zoho took nothing.
local key, call = ARGV[1], ARGV[2]
local now = clock()
free_permit(call)
local entry = read_entry(key)
if entry and entry.call == call and (entry.state == 'sending' or entry.state == 'uncertain') then
  give_back(entry)
  if entry.sends > 1 then
    entry.state, entry.sends, entry.reason = 'cleared', entry.sends - 1, ''
    write_entry(key, entry)
  else
    remove_entry(key)
  end
end
return report(now)
