-- ARGV: digests of rows. Returns for each the ids of the orphans it may have caused, separated by blanks
local reply = {}
for i = 1, #ARGV do
  local found = {}
  for _, orphan in ipairs(orphans_like(ARGV[i])) do found[#found + 1] = orphan.id end
  reply[i] = table.concat(found, ' ')
end
return reply
