-- ARGV: queue, then for each row three: identity key, enrichment id, what is kept of the fields sent (JSON)
-- Returns 1 for each whose values are gone, else 0. A row that was sent again since, or has no end, keeps its values.
local queue = ARGV[1]
local reply = {}
for i = 2, #ARGV, 3 do
  local key, id = ARGV[i], ARGV[i + 1]
  local entry = read_entry(key)
  local is_due = entry and entry.state == 'scheduled' and entry.id == id
    and (entry.final == 'COMPLETED' or entry.final == 'DATA_NOT_FOUND')
  if is_due then
    entry.sent = ARGV[i + 2]
    write_entry(key, entry)
    redis.call('HDEL', results, key)
    local job = read_job(queue, key, {})
    if job and job.finished_at then remove_job(queue, key) end
  end
  reply[#reply + 1] = is_due and '1' or '0'
end
return reply
