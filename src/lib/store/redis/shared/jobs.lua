-- BullMQ's jobs of rows.

-- BullMQ's job of a row: nil when there is none, else whether a worker has it, when it finished, and whether it failed.
-- `active` are the jobs that workers have.
local function read_job(queue, key, active)
  local job = queue .. ':' .. key
  local f = redis.call('HMGET', job, 'timestamp', 'finishedOn', 'failedReason')
  if not f[1] then return nil end
  local is_active = not f[2] and (active[key] or redis.call('EXISTS', job .. ':lock') == 1)
  return { is_active = is_active, finished_at = f[2] and tonumber(f[2]), has_failed = f[2] and f[3] and true }
end

local function active_jobs(queue)
  local active = {}
  for _, id in ipairs(redis.call('LRANGE', queue .. ':active', 0, -1)) do active[id] = true end
  return active
end

-- The oldest rows are at the end of the list, so it is searched from there.
local function remove_job(queue, key)
  local removed = 0
  for _, set in ipairs({ 'completed', 'failed', 'prioritized', 'delayed' }) do
    removed = removed + redis.call('ZREM', queue .. ':' .. set, key)
  end
  if removed == 0 and redis.call('LREM', queue .. ':wait', -1, key) == 0 then redis.call('LREM', queue .. ':paused', -1, key) end
  redis.call('DEL', queue .. ':' .. key, queue .. ':' .. key .. ':logs')
end
