-- Which server of the few that a key may use gets a request: any of those whose names score highest with the key.
--
-- Rendezvous hashing: a server that comes takes one place in the subsets that it now belongs to, one that goes frees one, and
-- all replicas agree. HAProxy's own hash would give a key one server, or with a random part in the key the same one twice.

local MOST_KEYS = 10000 -- whose subsets are kept, until the servers are looked up again
local MIX = 0x9E3779B97F4A7C15

-- A score of a server for a key; every bit of both changes it (the finaliser of splitmix64).
local function score(key, server)
  local mixed = (key ~ server) * MIX
  mixed = (mixed ~ (mixed >> 30)) * 0xBF58476D1CE4E5B9
  mixed = (mixed ~ (mixed >> 27)) * 0x94D049BB133111EB
  return mixed ~ (mixed >> 31)
end

-- By backend: the servers that take requests, and the second in which they were looked up.
local kept = {}

local function servers_of(transaction)
  local name = transaction.f:be_name()
  local now = core.now().sec
  local entry = kept[name]
  if not entry or entry.looked_at ~= now then
    entry = { looked_at = now, subsets = {}, keys = 0 }
    for server_name, server in pairs(core.backends[name].servers) do
      if not server:is_draining() and not server:get_stats().status:find("MAINT", 1, true) then
        entry[#entry + 1] = { name = server_name, hash = transaction.c:xxh64(server_name) }
      end
    end
    kept[name] = entry
  end
  return entry
end

-- Puts a server into the highest so far, which are in descending order and `size` at most.
local function place(highest, size, candidate, points)
  local position = #highest + 1
  while position > 1 and math.ult(highest[position - 1].points, points) do
    position = position - 1
  end
  if position <= size then
    table.insert(highest, position, { name = candidate.name, points = points })
    highest[size + 1] = nil
  end
end

-- Two Ingresses may want subsets of different sizes of one backend.
local function subset_of(servers, key, size)
  local name = key ~ size * MIX
  local highest = servers.subsets[name]
  if highest then
    return highest
  end
  highest = {}
  for _, server in ipairs(servers) do
    place(highest, size, server, score(key, server.hash))
  end
  if servers.keys < MOST_KEYS then
    servers.keys = servers.keys + 1
    servers.subsets[name] = highest
  end
  return highest
end

core.register_action("choose_of_subset", { "http-req" }, function(transaction)
  local size = tonumber(transaction:get_var("txn.subset")) or 1
  local key = transaction.c:xxh64(transaction:get_var("txn.key"))
  local highest = subset_of(servers_of(transaction), key, size)
  if #highest > 0 then
    transaction:set_var("txn.member", highest[math.random(#highest)].name)
  end
end)
