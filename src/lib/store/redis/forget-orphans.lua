-- ARGV: do it (0/1), enrichment ids. Returns for each: forgotten | open (a row that equals it is uncertain) | absent
local reply = {}
for i = 2, #ARGV do
  local id = ARGV[i]
  local orphan = read_orphan(id)
  local fate = orphan and 'forgotten' or 'absent'
  for key in (orphan and orphan.rows or ''):gmatch('%S+') do
    local entry = read_entry(key)
    if entry and entry.call == 'orphan.' .. id and (entry.state == 'uncertain' or entry.state == 'held') then fate = 'open' end
  end
  if fate == 'forgotten' and ARGV[1] == '1' then
    remove_orphan(id)
    redis.call('HSET', ids, id, FORGOTTEN)
  end
  reply[#reply + 1] = fate
end
return reply
