-- ARGV: held (0/1), then for each orphan four: id, created at, digests, echo (JSON)
-- Returns how many were added; an id that is owned or known stays as it is
local added = 0
for i = 2, #ARGV, 4 do
  local orphan = { id = ARGV[i], created_at = ARGV[i + 1], held = ARGV[1], digests = ARGV[i + 2], rows = '', echo = ARGV[i + 3] }
  if redis.call('HEXISTS', ids, orphan.id) == 0 and redis.call('HEXISTS', orphans, orphan.id) == 0 then
    write_orphan(orphan)
    change_digests(orphan, true)
    added = added + 1
  end
end
return { whole(added) }
