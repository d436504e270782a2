-- Where a client with a cookie of ingress-nginx's balanced mode was: the pod that its ring gives for the key.
--
-- The ring is that of nginx's consistent hash over the text "ip:port": 160 points a pod, CRC-32, the first point at or after
-- the key's own. It is kept per backend for as long as the same servers are used; a client comes by here once, and has a
-- cookie of ours afterwards.

local POINTS = 160

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

local function ring_of(nodes)
  local ring = {}
  for _, node in ipairs(nodes) do
    local start = crc32(node.text)
    local point = crc32("\0\0\0\0", start)
    for _ = 1, POINTS do
      ring[#ring + 1] = { point = point, name = node.name }
      point = crc32(string.pack("<I4", point), start)
    end
  end
  table.sort(ring, function(one, other)
    return one.point < other.point or (one.point == other.point and one.name < other.name)
  end)
  return ring
end

local function owner(ring, hash)
  local low, high = 1, #ring + 1
  while low < high do
    local middle = (low + high) // 2
    if ring[middle].point < hash then
      low = middle + 1
    else
      high = middle
    end
  end
  return (ring[low] or ring[1]).name
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

local kept = {}

local function ring_for(name)
  local nodes = nodes_of(core.backends[name])
  local texts = {}
  for index, node in ipairs(nodes) do
    texts[index] = node.name .. "=" .. node.text
  end
  local signature = table.concat(texts, ",")
  if not kept[name] or kept[name].signature ~= signature then
    kept[name] = { signature = signature, ring = ring_of(nodes) }
  end
  return kept[name].ring
end

core.register_action("find_former_server", { "http-req" }, function(transaction)
  local ring = ring_for(transaction.f:be_name())
  if #ring > 0 then
    transaction:set_var("txn.former_server", owner(ring, crc32(transaction:get_var("txn.key"))))
  end
end)
