-- Which pod is given a new session, and whether any takes one more.
--
-- The controller counts the sessions of each pod every second or two and says so on the runtime socket; what was placed since
-- is counted here. So a limit holds in a burst as well: each decision knows of all before it, whatever thread made them.
-- A request with a session of a pod that is there does not come by here. Those that do may be forged, as often as one likes.
--
-- HAProxy interrupts Lua after 10,000 instructions, anywhere, and lets other requests in. What must not be interrupted stays
-- far below that; what cannot (lists and heaps of all servers) is made in a task of its own, and put in place when complete.

local LOOK_INTERVAL = 1000 -- milliseconds after which the servers are listed anew
local SHORTEST_LOOK = 50 -- the same if their number has changed, or a count is complete
local LONGEST_WAIT = 1000 -- milliseconds for the first list of a backend
local COMPARED = 16 -- servers whose connections are compared; of more, that many by chance
local STEPS = 32 -- steps of a search that are made without a pause
local LONGEST_ANSWER = 30000 -- a session that has had no answer for so long is none
local STALE = 60000 -- without a count for so long a limit refuses nobody, until the next one: sessions end unseen

local states = Map.new((...), Map._str)

local function now()
  local time = core.now()
  return time.sec * 1000 + time.usec // 1000
end

-- By server, and in force: the sessions that the last complete count found, and those answered since that count began.
local counted, answered = {}, {}
local counted_at, is_measured = now(), true
-- The count that is being made: its number, what it found so far, what was answered since it began.
local count, found, answered_since = 0, nil, {}
-- Sessions without an answer yet; those of the time before are forgotten when the next time begins.
local waiting, waiting_before = { number = 0, began = counted_at, by = {} }, { number = -1, by = {} }

local places = {} -- backend to what is known of its servers

local function add(numbers, name, difference)
  numbers[name] = (numbers[name] or 0) + difference
end

local function load(name)
  return (counted[name] or 0) + (answered[name] or 0) + (waiting.by[name] or 0) + (waiting_before.by[name] or 0)
end

local function forget_waiting(time)
  if time - waiting.began >= LONGEST_ANSWER then
    waiting, waiting_before = { number = waiting.number + 1, began = time, by = {} }, waiting
  end
end

local function is_active(backend, name)
  return states:lookup(backend .. "/" .. name) == "active"
end

-- A heap of servers by load, with chance among equals. Its keys may be out of date, which is put right at its top.
local function sift_down(heap, keys, index)
  local name, key, last = heap[index], keys[index], #heap
  while true do
    local child = 2 * index
    if child < last and keys[child + 1] < keys[child] then
      child = child + 1
    end
    if child > last or keys[child] >= key then
      break
    end
    heap[index], keys[index] = heap[child], keys[child]
    index = child
  end
  heap[index], keys[index] = name, key
end

local function make_place(backend, usable)
  local names, servers, heap, keys, current = {}, {}, {}, {}, counted
  for name, server in pairs(core.backends[backend].servers) do
    if is_active(backend, name) then
      local index = #names + 1
      names[index], heap[index], servers[name], keys[index] = name, name, server, load(name) + math.random()
    end
  end
  for index = #heap // 2, 1, -1 do
    sift_down(heap, keys, index)
  end
  return {
    names = names,
    servers = servers,
    heap = heap,
    keys = keys,
    open = {}, -- limit to the servers that may have room
    usable = usable,
    counted = current,
    made_at = now(),
  }
end

local being_made = {}

-- In a task of its own: a request that is given up would leave it half done.
local function renew(backend, usable)
  if not being_made[backend] then
    being_made[backend] = true
    core.register_task(function()
      local is_made, place = pcall(make_place, backend, usable)
      being_made[backend] = nil
      if is_made then
        places[backend] = place
      else
        core.log(core.err, "no list of the servers of " .. backend .. ": " .. tostring(place))
      end
    end)
  end
end

local function place_of(backend)
  local place, usable = places[backend], core.backends[backend]:get_srv_act()
  local age = place and now() - place.made_at
  local is_other = place and (usable ~= place.usable or counted ~= place.counted)
  if not place or age >= LOOK_INTERVAL or (is_other and age >= SHORTEST_LOOK) then
    renew(backend, usable)
  end
  for _ = 1, LONGEST_WAIT do
    if places[backend] then
      break
    end
    core.msleep(1)
  end
  return places[backend]
end

-- Between two steps of a search others may come in, so every step looks at all anew.
local function steps()
  local number = 0
  return function()
    number = number + 1
    if number % STEPS == 0 then
      core.yield()
    end
    return number
  end
end

local function least_loaded(place)
  local heap, keys = place.heap, place.keys
  for _ in steps() do
    local name = heap[1]
    if not name then
      return nil
    end
    local current = load(name)
    if math.floor(keys[1]) == current then
      return name
    end
    keys[1] = current + math.random()
    sift_down(heap, keys, 1)
  end
end

-- Whoever turns out to have no room is taken out, until the servers are listed anew.
local function with_room(place, limit)
  local open = place.open[limit]
  if not open then
    open = table.move(place.names, 1, #place.names, 1, {})
    place.open[limit] = open
  end
  return open
end

local function take_out(open, index)
  open[index] = open[#open]
  open[#open] = nil
end

local function by_chance(place, limit)
  local open = with_room(place, limit)
  for _ in steps() do
    if #open == 0 then
      return nil
    end
    local index = math.random(#open)
    if load(open[index]) < limit then
      return open[index]
    end
    take_out(open, index)
  end
end

local function fewest_connections(place, limit)
  local open = with_room(place, limit)
  local compares_all = #open <= COMPARED
  local best, fewest
  for number = math.min(#open, COMPARED), 1, -1 do
    local index = compares_all and number or math.random(#open)
    local name = open[index]
    if load(name) < limit then
      -- Chance decides between equals, also for those that are compared in their order.
      local connections = (place.servers[name]:get_cur_sess() or math.huge) + math.random()
      if not best or connections < fewest then
        best, fewest = name, connections
      end
    else
      take_out(open, index)
    end
  end
  -- If all that were drawn are full, any that is not will do.
  return best or by_chance(place, limit)
end

local function fewest_sessions(place, limit)
  local name = least_loaded(place)
  return name and load(name) < limit and name or nil
end

local choosers = { random = by_chance, connections = fewest_connections, sessions = fewest_sessions }

-- The server for a new session; without one, whether that is because all are full.
local function choose(backend, policy)
  local place = place_of(backend)
  if not place or #place.names == 0 then
    return nil, false
  end
  local time = now()
  if time - counted_at >= STALE then
    counted, answered, counted_at, is_measured = {}, {}, time, false
    forget_waiting(time)
  end
  local limit = is_measured and policy.limit or math.huge
  local name = choosers[policy.by](place, limit)
  if not name and policy.overflows then
    name = least_loaded(place)
  end
  return name, not name
end

local policies = {}

-- An entry of the map `placements`: what decides, the limit ("" for none), and `overflow` or nothing.
local function policy_of(text)
  if not policies[text] then
    local by, limit, beyond = text:match("^(%l+)|(%d*)|(%l*)$")
    policies[text] = {
      by = by,
      limit = tonumber(limit) or math.huge,
      overflows = beyond == "overflow",
      is_counted = limit ~= "" or by == "sessions",
    }
  end
  return policies[text]
end

core.register_action("place_session", { "http-req" }, function(transaction)
  local policy, backend = policy_of(transaction:get_var("txn.placement")), transaction.f:be_name()
  local name, is_full = choose(backend, policy)
  if name and not is_active(backend, name) then
    -- Gone since the servers were listed; the second list is of after that.
    places[backend] = nil
    name, is_full = choose(backend, policy)
  end
  if name then
    transaction:set_var("txn.placed", name)
    if policy.is_counted then
      add(waiting.by, name, 1)
      transaction:set_var("txn.placed_in", waiting.number)
    end
  elseif is_full then
    transaction:set_var("txn.full", true)
  end
end)

-- The answer to a session's first request: from now on it is in HAProxy's table, where the next count finds it.
core.register_action("session_answered", { "http-res" }, function(transaction)
  local placed, actual = transaction:get_var("txn.placed"), transaction.f:srv_name()
  local number = transaction:get_var("txn.placed_in")
  for _, one in ipairs({ waiting, waiting_before }) do
    if one.number == number then
      add(one.by, placed, -1)
    end
  end
  add(answered, actual, 1)
  if found then
    add(answered_since, actual, 1)
  end
end)

-- A count in three steps. It begins: what is answered later may be missing in it.
core.register_cli({ "placement", "begin" }, "", function(applet)
  count, found, answered_since = count + 1, {}, {}
  forget_waiting(now())
  applet:send("count " .. count .. " began\n")
end)

-- It says what it found: `server=sessions`, with commas between them, as often as it takes.
core.register_cli({ "placement", "count" }, "", function(applet, _, _, number, text)
  local mine = tonumber(number) == count and found
  if mine then
    for name, sessions in (text or ""):gmatch("(%w+)=(%d+)") do
      mine[name] = tonumber(sessions)
    end
  end
  applet:send(mine and "taken\n" or "no such count\n")
end)

-- It is complete, and in force.
core.register_cli({ "placement", "end" }, "", function(applet, _, _, number)
  local mine = tonumber(number) == count and found
  if mine then
    counted, answered, counted_at, is_measured, found = found, answered_since, now(), true, nil
  end
  applet:send(mine and "complete\n" or "no such count\n")
end)

-- A server's sessions as they are known now.
core.register_cli({ "placement", "show" }, "", function(applet, _, _, name)
  applet:send(load(name or "") .. "\n")
end)

math.randomseed(core.now().usec * 4096 + core.now().sec)
