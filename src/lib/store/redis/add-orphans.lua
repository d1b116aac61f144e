-- ARGV: held (0/1), then for each orphan five: id, created at, form, form without email or '', echo (JSON)
-- Returns how many were added; an id that is owned or known stays as it is
local added = 0
for i = 2, #ARGV, 5 do
  local id = ARGV[i]
  if redis.call('HEXISTS', ids, id) == 0 and redis.call('HEXISTS', orphans, id) == 0 then
    write_orphan({
      id = id, created_at = ARGV[i + 1], held = ARGV[1], form = ARGV[i + 2], bare = ARGV[i + 3], rows = '', echo = ARGV[i + 4],
    })
    change_form(ARGV[i + 2], id, true)
    change_form(ARGV[i + 3], id, true)
    added = added + 1
  end
end
return { whole(added) }
