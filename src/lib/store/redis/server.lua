-- Returns new | same | changed, run id or '', now
-- A known server gets a sign of life: what it loses later was written after it. A server with replicas may be replaced by
-- one of them, which may lack the last writes.
local now = text(clock())
local server, run_id = read_server(), server_run_id()
if not server then return { 'new', run_id, now } end
if run_id == '' then return { 'same', run_id, now } end
if server.runId ~= run_id then return { 'changed', run_id, now } end
server.aliveMs = math.floor(clock())
local replication = server.durable and redis.pcall('INFO', 'replication')
if type(replication) == 'string' and not replication:find('connected_slaves:0', 1, true) then server.durable = false end
redis.call('SET', server_key, cjson.encode(server))
return { 'same', run_id, now }
