-- Where a client with a cookie of ingress-nginx's balanced mode was: the pod that its ring gives for the key.
--
-- The ring is that of nginx's consistent hash over the text "ip:port": 160 points a pod, CRC-32, the first point at or after
-- the key's own. It is kept per backend for as long as the same servers are used; a client comes by here once, and has a
-- cookie of ours afterwards.

local POINTS = 160
local MOST_BITS = 16
local NODES_AT_ONCE = 10
local TRIES_PER_NODE = 20 -- a pod with half of its fair share of the ring is missed once in 20,000 times
local MOST_TRIES = 20000
local LONGEST_WAIT = 1000 -- milliseconds for a ring to be built; two thousand pods need half of it

local crc_of = {}
for byte = 0, 255 do
  local crc = byte
  for _ = 1, 8 do
    crc = (crc & 1) == 1 and (crc >> 1) ~ 0xEDB88320 or crc >> 1
  end
  crc_of[byte] = crc
end

-- CRC-32 (IEEE) of the text, going on from the CRC of what stands before it.
local function crc32(text, before)
  local crc = (before or 0) ~ 0xFFFFFFFF
  for index = 1, #text do
    crc = crc_of[(crc ~ text:byte(index)) & 0xFF] ~ (crc >> 8)
  end
  return crc ~ 0xFFFFFFFF
end

-- HAProxy writes an IPv6 address without brackets; the ring's text has them.
local function node_of(address)
  local host, port = address:match("^(.*):(%d+)$")
  return host:find(":", 1, true) and "[" .. host .. "]:" .. port or address
end

-- The same for the four bytes of a number, the lowest first.
local function crc32_of_number(number, before)
  local crc = before ~ 0xFFFFFFFF
  for _ = 1, 4 do
    crc = crc_of[(crc ~ number) & 0xFF] ~ (crc >> 8)
    number = number >> 8
  end
  return crc ~ 0xFFFFFFFF
end

-- Buckets by the upper bits of points, about as many as points: none is long, and none is looked for in vain for long.
local function shift_of(count)
  local bits = 1
  while bits < MOST_BITS and 1 << bits < count * POINTS do
    bits = bits + 1
  end
  return 32 - bits
end

-- Points in buckets, so that no sorting of a whole ring stands still all other requests.
local function add_points(ring, node)
  local shift = ring.shift
  local start = crc32(node.text)
  local point = crc32_of_number(0, start)
  for _ = 1, POINTS do
    local bucket = ring[point >> shift]
    if not bucket then
      bucket = {}
      ring[point >> shift] = bucket
    end
    bucket[#bucket + 1] = { point = point, name = node.name }
    point = crc32_of_number(point, start)
  end
end

local function first_at_or_after(bucket, hash)
  local found
  for _, one in ipairs(bucket) do
    if one.point >= hash and (not found or one.point < found.point or (one.point == found.point and one.name < found.name)) then
      found = one
    end
  end
  return found
end

local function owner(ring, hash)
  local first, count = hash >> ring.shift, 1 << (32 - ring.shift)
  for number = first, first + count do
    local bucket = ring[number & (count - 1)]
    local found = bucket and first_at_or_after(bucket, number == first and hash or 0)
    if found then
      return found.name
    end
  end
end

-- The servers that take new sessions, in an order of their own; ingress-nginx has only ready pods on its ring.
local function nodes_of(backend)
  local nodes = {}
  for name, server in pairs(backend.servers) do
    if not server:is_draining() and not server:get_stats().status:find("MAINT", 1, true) then
      nodes[#nodes + 1] = { name = name, text = node_of(server:get_addr()) }
    end
  end
  table.sort(nodes, function(one, other) return one.text < other.text end)
  return nodes
end

-- By backend: `ring` once it is complete, `signature` of what it is made of, `looked_at` when that was compared.
local kept = {}

local function build(entry, nodes)
  local ring = { shift = shift_of(#nodes) }
  for index, node in ipairs(nodes) do
    add_points(ring, node)
    if index % NODES_AT_ONCE == 0 then
      core.yield()
    end
  end
  if #nodes > 0 and entry.nodes == nodes then
    entry.ring = ring
  end
end

-- A client with a forged cookie comes by as often as it likes, so servers are asked for their state once a second.
local function entry_for(name)
  local entry = kept[name] or { looked_at = 0 }
  kept[name] = entry
  local now = core.now().sec
  if entry.looked_at ~= now then
    entry.looked_at = now
    local nodes = nodes_of(core.backends[name])
    local texts = {}
    for index, node in ipairs(nodes) do
      texts[index] = node.name .. "=" .. node.text
    end
    local signature = table.concat(texts, ",")
    if entry.signature ~= signature then
      entry.signature, entry.nodes, entry.ring = signature, nodes, nil
      -- In a task of its own: a request that is given up would leave it half done.
      core.register_task(function() build(entry, nodes) end)
    end
  end
  return entry
end

local function wait_for_ring(name)
  local entry = entry_for(name)
  for _ = 1, LONGEST_WAIT do
    if entry.ring or #entry.nodes == 0 then
      break
    end
    core.msleep(1)
  end
  return entry
end

core.register_action("know_ring", { "http-req" }, function(transaction)
  wait_for_ring(transaction.f:be_name())
end)

core.register_action("find_former_server", { "http-req" }, function(transaction)
  -- The cookie's whole first piece, or a new session's key.
  local key = transaction:get_var("txn.value") or transaction:get_var("txn.key")
  local entry = wait_for_ring(transaction.f:be_name())
  if entry.ring then
    transaction:set_var("txn.former_server", owner(entry.ring, crc32(key)))
  end
end)

-- The server that the ring gives a key, "" if there is no ring yet; the place is `backend/key`.
core.register_converters("owner_of_key", function(place)
  local backend, key = place:match("^([^/]+)/(.*)$")
  local entry = entry_for(backend)
  return entry.ring and owner(entry.ring, crc32(key)) or ""
end)

local function has_node(entry, name)
  for _, node in ipairs(entry.nodes) do
    if node.name == name then
      return true
    end
  end
  return false
end

-- A new key that the ring gives to the server, "" if none is found: the server drains, say. The place is `backend/server`.
core.register_converters("key_of_server", function(place)
  local backend, name = place:match("^([^/]+)/(.+)$")
  local entry = kept[backend]
  if not entry or not entry.ring or not has_node(entry, name) then
    return ""
  end
  local now = core.now()
  local beginning = string.format("%d.%03d.%d.", now.sec, now.usec // 1000, now.usec % 1000)
  local crc = crc32(beginning)
  for number = 1, math.min(MOST_TRIES, TRIES_PER_NODE * #entry.nodes + 100) do
    local ending = tostring((now.usec + number * 7919) % 1000000)
    if owner(entry.ring, crc32(ending, crc)) == name then
      return beginning .. ending
    end
  end
  return ""
end)

-- "ip:port" of a server as ingress-nginx writes it; the place is `backend/server`.
core.register_converters("node_of_server", function(place)
  local backend, name = place:match("^([^/]+)/(.+)$")
  local server = core.backends[backend] and core.backends[backend].servers[name]
  return server and node_of(server:get_addr()) or ""
end)
