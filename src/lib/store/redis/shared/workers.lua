-- The store's past, and the numbers of workers.

-- The process that serves the data and the history of its replication: a restart changes the one, each promotion the other.
-- Asked inside the script, which runs where the data is. '' where the server does not tell.
local function server_identity()
  local info = redis.pcall('INFO')
  if type(info) ~= 'string' then return '' end
  local run_id, replication = info:match('run_id:(%w+)'), info:match('master_replid:(%w+)')
  return run_id and run_id .. '/' .. (replication or '') or ''
end

local function read_history()
  local json = redis.call('GET', history_key)
  return json and cjson.decode(json) or nil, json or ''
end

local function is_looking(history)
  return history ~= nil and type(history.look) == 'table'
end

local function number_of(worker)
  return tonumber(redis.call('HGET', ledger, '#' .. worker) or '0')
end

-- '' for a caller that is no worker.
local function grow_number(worker)
  if worker == '' then return '0' end
  return whole(redis.call('HINCRBY', ledger, '#' .. worker, 1))
end
