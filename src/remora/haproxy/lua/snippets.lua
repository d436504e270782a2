-- What snippets ask for, step by step. The steps of a route are one text, an entry of the map `snippets`; see
-- `features.snippets` for how it is written. Nothing of it is ever run as configuration or as Lua.
--
-- A regular expression is a tree that is walked here. One that takes more than MOST_STEPS is answered with 400: it must not
-- pass for one that does not match.

local MOST_KEPT = 10000 -- texts whose steps are kept
local MOST_STEPS = 20000
local GIVEN_UP = {}

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Lists in brackets, items between commas; what else they hold is percent-encoded.
local function read(text)
  local stack, list = {}, {}
  local at = 1
  while at <= #text do
    local first = text:byte(at)
    if first == 40 then -- (
      local inner = {}
      list[#list + 1] = inner
      stack[#stack + 1] = list
      list = inner
      at = at + 1
    elseif first == 41 then -- )
      list = table.remove(stack)
      at = at + 1
    elseif first == 44 then -- ,
      at = at + 1
    else
      local _, last = text:find("^[^(),]+", at)
      list[#list + 1] = decoded(text:sub(at + 1, last)) -- an atom begins with a dot, so that none is empty
      at = last + 1
    end
  end
  return list
end

-- Patterns: `compile(node, following)` is a function of a state and a position that says whether the node and what follows
-- match from there.

local compile

local function byte_set(text)
  local set = {}
  for first, last in text:gmatch("(%x%x)(%x%x)") do
    for byte = tonumber(first, 16), tonumber(last, 16) do
      set[byte] = true
    end
  end
  return set
end

local function spend(state)
  state.left = state.left - 1
  if state.left < 0 then
    error(GIVEN_UP)
  end
end

local function is_word(state, at)
  local byte = state.text:byte(at)
  return byte ~= nil and (byte == 95 or string.char(byte):find("^%w") ~= nil)
end

local POSITIONS = {
  start = function(_, at) return at == 1 end,
  ["end"] = function(state, at) return at == #state.text + 1 end,
  border = function(state, at) return is_word(state, at - 1) ~= is_word(state, at) end,
  ["no border"] = function(state, at) return is_word(state, at - 1) == is_word(state, at) end,
}

local function repeat_set(set, least, most, is_lazy, following)
  return function(state, at)
    local text, count = state.text, 0
    while count < most and set[text:byte(at + count)] do
      count = count + 1
    end
    local from, to, step = count, least, -1
    if is_lazy then
      from, to, step = least, count, 1
    end
    if count < least then
      return false
    end
    for taken = from, to, step do
      spend(state)
      if following(state, at + taken) then
        return true
      end
    end
    return false
  end
end

local function repeat_part(part, least, most, is_lazy, following)
  local frame_of, body = {}, nil
  local function attempt(state, at, count)
    spend(state)
    local outer = state[frame_of]
    local function again()
      if count >= most then
        return false
      end
      state[frame_of] = { count = count, at = at }
      local matched = body(state, at)
      state[frame_of] = outer
      return matched
    end
    if is_lazy then
      return (count >= least and following(state, at)) or again()
    end
    return again() or (count >= least and following(state, at))
  end
  body = compile(part, function(state, at)
    local frame = state[frame_of]
    if at == frame.at then -- what takes nothing can be taken any number of times
      return following(state, at)
    end
    return attempt(state, at, frame.count + 1)
  end)
  return function(state, at) return attempt(state, at, 0) end
end

local KINDS = {
  l = function(node, following) -- a text
    local wanted = node[2]
    local length = #wanted
    return function(state, at)
      return state.text:sub(at, at + length - 1) == wanted and following(state, at + length)
    end
  end,
  c = function(node, following)
    local set = byte_set(node[2])
    return function(state, at) return set[state.text:byte(at)] == true and following(state, at + 1) end
  end,
  p = function(node, following)
    local holds = POSITIONS[node[2]]
    return function(state, at) return holds(state, at) and following(state, at) end
  end,
  s = function(node, following)
    for index = #node, 2, -1 do
      following = compile(node[index], following)
    end
    return following
  end,
  o = function(node, following)
    local options = {}
    for index = 2, #node do
      options[#options + 1] = compile(node[index], following)
    end
    return function(state, at)
      for _, option in ipairs(options) do
        spend(state)
        if option(state, at) then
          return true
        end
      end
      return false
    end
  end,
  r = function(node, following)
    local least, most, is_lazy = tonumber(node[3]), tonumber(node[4]) or math.huge, node[5] == "1"
    if node[2][1] == "c" then
      return repeat_set(byte_set(node[2][2]), least, most, is_lazy, following)
    end
    return repeat_part(node[2], least, most, is_lazy, following)
  end,
  g = function(node, following)
    local number, opened = tonumber(node[2]), {}
    local inner = compile(node[3], function(state, at)
      local before = state.groups[number]
      state.groups[number] = { state[opened], at - 1 }
      if following(state, at) then
        return true
      end
      state.groups[number] = before
      return false
    end)
    return function(state, at)
      local before = state[opened]
      state[opened] = at
      local matched = inner(state, at)
      state[opened] = before
      return matched
    end
  end,
  a = function(node, following)
    local inner, is_negative = compile(node[2], function() return true end), node[3] == "1"
    return function(state, at) return inner(state, at) ~= is_negative and following(state, at) end
  end,
}

function compile(node, following)
  return KINDS[node[1]](node, following)
end

local function compiled(node)
  local pattern = { folds = node[2] == "1", run = compile(node[3], function() return true end) }
  pattern.is_anchored = node[3][1] == "s" and node[3][2] and node[3][2][1] == "p" and node[3][2][2] == "start"
  return pattern
end

-- The texts that the groups took, or nil; GIVEN_UP is raised.
local function search(pattern, text)
  local state = { text = pattern.folds and text:lower() or text, left = MOST_STEPS }
  for at = 1, pattern.is_anchored and 1 or #text + 1 do
    state.groups = {}
    spend(state)
    if pattern.run(state, at) then
      local taken = {}
      for number, range in pairs(state.groups) do
        taken[number] = text:sub(range[1], range[2])
      end
      return taken
    end
  end
  return nil
end

-- Values.

local function without_controls(text)
  return (text:gsub("[%c\127]", ""))
end

local function encoded(text)
  return (text:gsub("[^%w/._~!$&'()*+,;=:@-]", function(byte) return ("%%%02X"):format(byte:byte()) end))
end

local function header(run, name)
  local fetches = run.transaction.f
  local count = fetches:req_fhdr_cnt(name) or 0
  if count < 2 then
    return fetches:req_fhdr(name) or ""
  end
  local all = {}
  for index = 1, count do
    all[index] = fetches:req_fhdr(name, index)
  end
  return table.concat(all, ", ")
end

local function of_list(text, separator, name)
  for key, value in text:gmatch("([^=" .. separator .. "]+)=([^" .. separator .. "]*)") do
    if key:lower() == name then
      return value
    end
  end
  return ""
end

-- The Host that the client sent; another policy may have set the pod's.
local function client_host(run)
  return run.transaction:get_var("txn.client_host") or header(run, "host")
end

local NAMED = {
  host = function(run) return client_host(run):lower():gsub(":%d+$", "") end,
  remote_addr = function(run) return tostring(run.transaction.f:src() or "") end,
  proxy_add_x_forwarded_for = function(run)
    local sent, address = header(run, "x-original-forwarded-for"), tostring(run.transaction.f:src() or "")
    return sent == "" and address or sent .. ", " .. address
  end,
  scheme = function(run) return run.transaction.f:ssl_fc() == 1 and "https" or "http" end,
  request_uri = function(run) return run.asked end,
  uri = function(run) return run.path end,
  args = function(run) return run.query end,
  is_args = function(run) return run.query ~= "" and "?" or "" end,
  request_method = function(run) return run.transaction.f:method() end,
  request_id = function(run) return header(run, "x-request-id") end,
  server_protocol = function(run) return "HTTP/" .. tostring(run.transaction.f:req_ver() or "1.1") end,
  server_port = function(run) return tostring(run.transaction.f:dst_port() or "") end,
  status = function(run) return tostring(run.transaction.f:status() or "") end,
}

local fill

local SOURCES = {
  T = function(_, name) return name end,
  V = function(run, name)
    local value = run.variables[name]
    return type(value) == "table" and fill(run, value) or value or ""
  end,
  G = function(run, name) return run.groups[tonumber(name)] or "" end,
  H = function(run, name) return name == "host" and client_host(run) or header(run, name) end,
  A = function(run, name) return of_list(run.query, "&", name) end,
  C = function(run, name) return of_list(header(run, "cookie"):gsub(";%s*", ";"), ";", name) end,
  U = function(run, name) return run.transaction:get_var("txn.upstream_http_" .. name:gsub("-", "_")) or "" end,
  R = function(run, name) return run.has_answer and run.transaction.f:res_fhdr(name) or "" end,
  N = function(run, name)
    local text = NAMED[name](run)
    return text
  end,
}

-- The value's text. In a URL what was decoded is encoded again.
function fill(run, value, is_url)
  local texts = {}
  for index, piece in ipairs(value) do
    local kind, name = piece:sub(1, 1), piece:sub(2)
    local text = SOURCES[kind](run, name)
    if is_url and (piece == "Nuri" or (kind == "G" and run.groups_are_decoded)) then
      text = encoded(text)
    end
    texts[index] = text
  end
  return without_controls(table.concat(texts))
end

local function waits_for_answer(value)
  for _, piece in ipairs(value) do
    if piece:sub(1, 1) == "R" or piece == "Nstatus" then
      return true
    end
  end
  return false
end

-- Answers of our own.

local function fits(step, status, media_type)
  local statuses, types = step[5], step[6]
  local is_meant = #statuses == 0
  for _, wanted in ipairs(statuses) do
    is_meant = is_meant or tonumber(wanted) == status
  end
  if not is_meant or #types == 0 then
    return is_meant
  end
  for _, wanted in ipairs(types) do
    if wanted == media_type or (wanted:sub(-1) == "*" and media_type:sub(1, #wanted - 1) == wanted:sub(1, -2)) then
      return true
    end
  end
  return false
end

local function media_type_of(text)
  return (text or ""):lower():match("^[^;%s]*")
end

local function text_of(run, step)
  return step.text or fill(run, step[4])
end

local function is_named(pattern, name)
  return pattern == name or (pattern:sub(-1) == "*" and name:sub(1, #pattern - 1) == pattern:sub(1, -2))
end

local function answer_headers(run, headers, status)
  for _, step in ipairs(run.answer_headers) do
    local change, name = step[2], step[3]:lower()
    if fits(step, status, media_type_of(headers["content-type"] and headers["content-type"][1])) then
      if change == "remove" then
        for other in pairs(headers) do
          headers[other] = not is_named(name, other) and headers[other] or nil
        end
      else
        local text = text_of(run, step)
        local others = change == "add" and headers[name] or {}
        headers[name] = others
        if text ~= "" then -- nginx sends no empty ones
          table.insert(others, text)
        end
      end
    end
  end
end

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

local function answer(run, status, text, media_type)
  if status == 444 then
    run.transaction:set_var("txn.unanswered", true)
    return
  end
  local headers, body = { ["content-type"] = { media_type } }, text
  if REDIRECTS[status] and text ~= "" then
    local location = text:sub(1, 1) ~= "/" and text or NAMED.scheme(run) .. "://" .. NAMED.host(run) .. text
    headers, body = { location = { (location:gsub(" ", "%%20")) } }, ""
  elseif status == 204 or status == 304 then
    headers, body = {}, ""
  elseif text == "" and status >= 400 then
    body = "<html><head><title>" .. status .. "</title></head><body>" .. status .. "</body></html>"
    headers = { ["content-type"] = { "text/html" } }
  end
  answer_headers(run, headers, status)
  local reply = run.transaction:reply({ status = status })
  for name, values in pairs(headers) do
    for _, value in ipairs(values) do
      reply:add_header(name, value)
    end
  end
  reply.body = body
  run.transaction:done(reply)
end

-- Steps. A step that returns true ends them.

local walk

local function meets(run, condition)
  local value, how = fill(run, condition[1]), condition[2]
  local holds
  if how == "=" then
    holds = value == fill(run, condition[3])
  elseif how == "~" then
    local taken = search(condition.pattern, value)
    holds = taken ~= nil
    if taken then
      run.groups, run.groups_are_decoded = taken, condition[1][1] == "Nuri"
    end
  else
    holds = value ~= "" and value ~= "0"
  end
  return holds ~= (condition[4] == "1")
end

local function change_path(run, step)
  local taken = search(step.pattern, run.path)
  if not taken then
    return false
  end
  run.groups, run.groups_are_decoded = taken, true
  local status, drops, ends = tonumber(step[4]), step[5] == "1", step[6] == "1"
  local path, query = fill(run, step[3], true):match("^([^?]*)%??(.*)$")
  if not drops and run.query ~= "" then
    query = query == "" and run.query or query .. "&" .. run.query
  end
  if status > 0 then
    run.status, run.said, run.media_type = status, query == "" and path or path .. "?" .. query, ""
    return true
  end
  if path:sub(1, 1) ~= "/" then
    path = "/" .. path
  end
  run.path, run.query, run.is_changed = run.transaction.c:url_dec(path), query, true
  run.new_path = path
  return ends
end

local function is_allowed(run, rules)
  local address = core.parse_addr(tostring(run.transaction.f:src()))
  for _, rule in ipairs(rules) do
    if not rule.network or core.match_addr(rule.network, address) then
      return rule.allows
    end
  end
  return true
end

local function takes(run, location)
  if location[1] == "=" then
    return run.path == location[2]
  elseif location[1] == "~" then
    local taken = search(location.pattern, run.path)
    if taken then
      run.groups, run.groups_are_decoded = taken, true
    end
    return taken ~= nil
  end
  return run.path:sub(1, #location[2]) == location[2]
end

local STEPS = {
  set = function(run, step)
    run.variables[step[2]] = step.is_late and step[3] or fill(run, step[3])
  end,
  when = function(run, step)
    return meets(run, step[2]) and walk(run, step[3])
  end,
  answer = function(run, step)
    local status = tonumber(step[2])
    run.status, run.said, run.media_type = status, fill(run, step[3], REDIRECTS[status]), step[4]
    return true
  end,
  path = change_path,
  stop = function() return true end,
  request = function(run, step) table.insert(run.request_headers, step) end,
  response = function(run, step)
    local text = step[2] ~= "remove" and not waits_for_answer(step[4]) and fill(run, step[4]) or nil
    table.insert(run.answer_headers, setmetatable({ text = text }, { __index = step }))
  end,
  access = function(run, step) table.insert(run.rules, step.rules) end,
  locate = function(run, step)
    for _, location in ipairs(step[2]) do
      if takes(run, location) then
        walk(run, location[3])
        return true
      end
    end
  end,
}

function walk(run, steps)
  for _, step in ipairs(steps) do
    if STEPS[step[1]](run, step) then
      return true
    end
  end
  return false
end

-- What can be made before any request comes.
local function prepare(steps)
  for _, step in ipairs(steps) do
    local kind = step[1]
    if kind == "when" then
      step[2].pattern = step[2][2] == "~" and compiled(step[2][3]) or nil
      prepare(step[3])
    elseif kind == "path" then
      step.pattern = compiled(step[2])
    elseif kind == "set" then
      for _, piece in ipairs(step[3]) do
        step.is_late = step.is_late or piece:sub(1, 1) == "U"
      end
    elseif kind == "access" then
      step.rules = {}
      for _, rule in ipairs(step[2]) do
        local network = rule[2] ~= "" and core.parse_addr(rule[2]) or nil
        table.insert(step.rules, { allows = rule[1] == "1", network = network })
      end
    elseif kind == "locate" then
      for _, location in ipairs(step[2]) do
        location.pattern = location[1] == "~" and compiled(location[4]) or nil
        prepare(location[3])
      end
    end
  end
  return steps
end

local kept, count = {}, 0

local function steps_of(text)
  local steps = kept[text]
  if not steps then
    if count >= MOST_KEPT then
      kept, count = {}, 0
    end
    steps = prepare(read(text:match("^[^:]*:(.*)$")))
    kept[text], count = steps, count + 1
  end
  return steps
end

-- The run of a request: made by whichever action comes first.
local function run_of(transaction, has_answer)
  local run = transaction:get_priv()
  if run then
    run.transaction, run.has_answer = transaction, has_answer
    return run, false
  end
  run = {
    transaction = transaction,
    has_answer = has_answer,
    variables = {},
    groups = {},
    request_headers = {},
    answer_headers = {},
    rules = {},
  }
  if not has_answer then
    run.asked = transaction.f:pathq()
    run.path = transaction:get_var("txn.decoded") or transaction.f:path()
    run.query = transaction.f:query() or ""
  end
  transaction:set_priv(run)
  return run, true
end

local function decide(transaction)
  local run = run_of(transaction)
  local went_well, fault = pcall(walk, run, steps_of(transaction:get_var("txn.snippet")))
  if not went_well then
    run.status, run.said, run.media_type = fault == GIVEN_UP and 400 or 500, "", "text/html"
    if fault ~= GIVEN_UP then
      core.Alert("snippets: " .. tostring(fault))
    end
  end
  if run.status then
    answer(run, run.status, run.said, run.media_type)
    return
  end
  for _, rules in ipairs(run.rules) do
    if not is_allowed(run, rules) then
      answer(run, 403, "", "text/html")
      return
    end
  end
  if run.is_changed then
    transaction.http:req_set_uri(run.query == "" and run.new_path or run.new_path .. "?" .. run.query)
  end
end

-- A pod may read `x_user` as it reads `X-User`.
local function remove_aliases(transaction, steps)
  local sent = transaction.f:req_hdr_names(",") or ""
  if not sent:find("_", 1, true) then
    return
  end
  local meant = {}
  for _, step in ipairs(steps) do
    meant[(step[3]:lower():gsub("_", "-"))] = step[3]:lower()
  end
  for name in sent:lower():gmatch("[^,]*_[^,]*") do
    local own = meant[(name:gsub("_", "-"))]
    if own and own ~= name then
      transaction.http:req_del_header(name)
    end
  end
end

local function change_request_headers(transaction)
  local run, is_new = run_of(transaction)
  if is_new then
    walk(run, steps_of(transaction:get_var("txn.snippet")))
  end
  local http = transaction.http
  remove_aliases(transaction, run.request_headers)
  local texts = {} -- all before any is set: values speak of what was sent
  for number, step in ipairs(run.request_headers) do
    texts[number] = step[2] == "set" and fill(run, step[4]) or ""
  end
  for number, step in ipairs(run.request_headers) do
    local name, only_if_sent, text = step[3], step[5] == "1", texts[number]
    if name:sub(-1) == "*" then
      for other in pairs(http:req_get_headers()) do
        if is_named(name:lower(), other) then
          http:req_del_header(other)
        end
      end
    elseif text == "" then
      http:req_del_header(name)
    elseif not only_if_sent or (transaction.f:req_fhdr_cnt(name) or 0) > 0 then
      http:req_set_header(name, text)
    end
  end
end

local function remove_answer_header(http, name)
  if name:sub(-1) ~= "*" then
    http:res_del_header(name)
    return
  end
  for other in pairs(http:res_get_headers()) do
    if is_named(name:lower(), other) then
      http:res_del_header(other)
    end
  end
end

local function change_answer_headers(transaction)
  local run, is_new = run_of(transaction, true)
  if is_new then
    walk(run, steps_of(transaction:get_var("txn.snippet")))
  end
  local http, status, media_type = transaction.http, nil, nil
  for _, step in ipairs(run.answer_headers) do
    if #step[5] > 0 or #step[6] > 0 then
      status = status or transaction.f:status()
      media_type = media_type or media_type_of(transaction.f:res_fhdr("content-type"))
    end
    if fits(step, status, media_type) then
      local change, name = step[2], step[3]
      local text = change ~= "remove" and text_of(run, step) or ""
      if text ~= "" then
        http[change == "set" and "res_set_header" or "res_add_header"](http, name, text)
      elseif change ~= "add" then  -- nginx adds no header without a value, and leaves the pod's own
        remove_answer_header(http, name)
      end
    end
  end
end

core.register_action("snippet_decides", { "http-req" }, decide)
core.register_action("snippet_changes_request", { "http-req" }, change_request_headers)
core.register_action("snippet_changes_answer", { "http-res" }, change_answer_headers)
