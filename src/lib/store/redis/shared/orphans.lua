-- Enrichments at Zoho that no entry owns.

local function read_orphan(id)
  local line = redis.call('HGET', orphans, id)
  if not line then return nil end
  local f = {}
  for field in (line .. '\n'):gmatch('(.-)\n') do f[#f + 1] = field end
  return { id = id, created_at = f[1], held = f[2], digests = f[3], rows = f[4], echo = f[5] }
end

local function write_orphan(o)
  redis.call('HSET', orphans, o.id, table.concat({ o.created_at, o.held, o.digests, o.rows, o.echo }, '\n'))
end

local function change_digests(orphan, add)
  for digest in orphan.digests:gmatch('[^,]+') do
    local ids = {}
    for other in (redis.call('HGET', orphan_digests, digest) or ''):gmatch('%S+') do
      if other ~= orphan.id then ids[#ids + 1] = other end
    end
    if add then ids[#ids + 1] = orphan.id end
    if #ids == 0 then redis.call('HDEL', orphan_digests, digest) else redis.call('HSET', orphan_digests, digest, table.concat(ids, ' ')) end
  end
end

-- How sure it is that what has the one digests caused what has the others: 3 all are equal, 2 other columns, 1 a name alone, 0 not.
local function fit_of(one, other)
  if one == other then return 3 end
  local name, email, website = one:match('(.-),(.-),(.*)')
  local name2, email2, website2 = other:match('(.-),(.-),(.*)')
  local function differ(a, b) return a ~= '' and b ~= '' and a ~= b end
  if differ(name, name2) or differ(email, email2) or differ(website, website2) then return 0 end
  if website ~= '' and website == website2 then return 2 end
  if name == '' or name ~= name2 then return 0 end
  return email ~= '' and email == email2 and 2 or 1
end

-- The orphans that a row with these digests may have caused, the surest and oldest first, each with its fit.
local function orphans_like(digests)
  local found, seen = {}, {}
  for digest in digests:gmatch('[^,]+') do
    for id in (redis.call('HGET', orphan_digests, digest) or ''):gmatch('%S+') do
      local orphan = not seen[id] and read_orphan(id)
      seen[id] = true
      if orphan then
        orphan.fit = fit_of(digests, orphan.digests)
        if orphan.fit > 0 then found[#found + 1] = orphan end
      end
    end
  end
  table.sort(found, function(a, b)
    if a.fit ~= b.fit then return a.fit > b.fit end
    if a.created_at ~= b.created_at then return tonumber(a.created_at) < tonumber(b.created_at) end
    return a.id < b.id
  end)
  return found
end

-- The orphan that a row may have caused, and whether a person has to decide; nil when there is none. A row meets orphans of a
-- fit once: after that it was looked up, or a person has decided.
local function orphan_for(key, digests)
  local found, held
  for _, orphan in ipairs(orphans_like(digests)) do
    if found and orphan.fit < found.fit then break end
    if not orphan.rows:find(key, 1, true) then
      if not found then found, held = orphan, orphan.fit == 1 or orphan.held == '1' or orphan.rows ~= '' end
      orphan.rows = orphan.rows .. ' ' .. key
      write_orphan(orphan)
    end
  end
  return found, held
end

-- The id has an owner.
local function remove_orphan(id)
  local orphan = read_orphan(id)
  if not orphan then return end
  redis.call('HDEL', orphans, id)
  change_digests(orphan, false)
end
