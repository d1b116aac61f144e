-- ARGV: queue, finished before (ms) or '', do it (0/1), then for each row two: identity key, aliases of its values
-- Returns for each: forgotten | open (being sent, or uncertain) | kept (not finished by then) | absent
-- All that is known of a row goes in one step, whatever a worker does meanwhile; its ids stay owned, by nobody.
local queue, before, do_it = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'
local active = active_jobs(queue)

local function finished_at(entry, job)
  if entry and entry.state == 'scheduled' then return tonumber(entry.finished_at) end
  return job and job.has_failed and job.finished_at
end

local function forget(key, row_aliases)
  local entry, job = read_entry(key), read_job(queue, key, active)
  if not entry and not job then return 'absent' end
  if entry and entry.state ~= 'scheduled' and entry.state ~= 'cleared' then return 'open' end
  if job and job.is_active then return 'open' end
  if before and not ((finished_at(entry, job) or before) < before) then return 'kept' end
  if not do_it then return 'forgotten' end
  if job then remove_job(queue, key) end
  for id in ((redis.call('HGET', past, key) or '') .. ' ' .. (entry and entry.id or '')):gmatch('%S+') do
    redis.call('HSET', ids, id, FORGOTTEN)
  end
  redis.call('HDEL', past, key)
  redis.call('HDEL', results, key)
  unindex_entry(key, row_aliases)
  remove_entry(key)
  for _, index in ipairs({ pending, failed, base .. ':enriched', base .. ':notfound' }) do redis.call('ZREM', index, key) end
  return 'forgotten'
end

local reply = {}
for i = 4, #ARGV, 2 do reply[#reply + 1] = forget(ARGV[i], ARGV[i + 1]) end
return reply
