-- Asks another service whether a request may pass: through HAProxy itself, whose frontend behind the socket knows the
-- service of the route. What is not a clear yes is none: whatever fails here leaves `txn.auth_status` without a 200.
--
-- Policies come as entries of the map `external-auth` (see features/external_auth.py). Answers are kept where the policy has a
-- key for them, in two generations of bounded size: what is not asked for while the younger fills up is forgotten with the
-- elder.

local SOCKET = ...
local MOST_POLICIES = 20000
local MOST_ANSWERS = 25000 -- of a generation
local MOST_BYTES = 16777216
local OF_EACH_ANSWER = 1000 -- bytes beside its texts
local LARGEST_KEPT = 16384 -- bytes of an answer's headers and key
local MOST_COOKIES = 8 -- as many as the program has rules for

local function set(...)
  local names = {}
  for _, name in ipairs({ ... }) do
    names[name] = true
  end
  return names
end

-- Of one connection (RFC 9110 section 7.6.1), of a body that is not sent, or said anew.
local NOT_SENT = set(
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
  "content-length", "expect", "host", "x-forwarded-proto",
  "x-original-url", "x-original-uri", "x-original-method", "x-sent-from", "x-auth-request-redirect",
  "x-remora-route", "x-remora-method"
)
-- What an underscore in place of a dash must not imitate.
local SAID = set("x-real-ip", "x-request-id", "x-scheme", "authorization", "cookie")

local function is_feigned(name)
  if not name:find("_", 1, true) then
    return false
  end
  local meant = name:gsub("_", "-")
  return NOT_SENT[meant] or SAID[meant] or meant:find("^x%-forwarded%-") or meant:find("^ssl%-client%-")
end

local function decode(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function escape(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

-- What no URL has as it is.
local function clean_url(text)
  return (text:gsub("[%z\1-\32\127-\255\"<>\\^`{|}#]", function(byte) return string.format("%%%02X", byte:byte()) end))
end

local function clean_header(text)
  return (text:gsub("[%z\1-\31\127]", " "):match("^%s*(.-)%s*$"))
end

local function headers_of(request)
  if not request.headers then
    request.headers = request.transaction.http:req_get_headers()
  end
  return request.headers
end

local function joined(values)
  if not values then
    return ""
  end
  if not values[1] then
    return values[0]
  end
  local all = {}
  for index = 0, #values do
    all[index + 1] = values[index]
  end
  return table.concat(all, ", ")
end

local function header(request, name)
  return joined(headers_of(request)[name])
end

-- nginx compares names of cookies without regard to case; a key of which nothing is found would be everybody's.
local function cookie(request, wanted)
  wanted = wanted:lower()
  for name, value in header(request, "cookie"):gmatch("%s*([^=;,%s]+)=([^;]*)") do
    if name:lower() == wanted then
      return value
    end
  end
  return ""
end

local function argument(request, wanted)
  wanted = wanted:lower()
  for name, value in (request.transaction.sf:query() or ""):gmatch("([^=&]+)=([^&]*)") do
    if name:lower() == wanted then
      return value
    end
  end
  return ""
end

local function user(request)
  local encoded = header(request, "authorization"):match("^[Bb][Aa][Ss][Ii][Cc]%s+(%S+)")
  local decoded = encoded and request.transaction.c:b64dec(encoded)
  return decoded and decoded:match("^[^:]*") or ""
end

local function is_tls(request)
  return request.transaction.sf:ssl_fc() == "1"
end

local VARIABLES = {
  host = function(request) return (header(request, "host"):lower():gsub(":%d+$", "")) end,
  http_host = function(request) return header(request, "host") end,
  scheme = function(request) return is_tls(request) and "https" or "http" end,
  told_scheme = function(request) return header(request, "x-forwarded-proto") end,
  told_port = function(request) return header(request, "x-forwarded-port") end,
  request_method = function(request) return request.transaction.sf:method() end,
  request_uri = function(request) return request.transaction.sf:pathq() end,
  escaped_request_uri = function(request) return escape(request.transaction.sf:pathq()) end,
  uri = function(request) return request.transaction.sf:path() end,
  args = function(request) return request.transaction.sf:query() end,
  is_args = function(request) return request.transaction.sf:query() ~= "" and "?" or "" end,
  remote_addr = function(request) return request.transaction.sf:src() end,
  request_id = function(request) return header(request, "x-request-id") end,
  forwarded_for = function(request) return header(request, "x-forwarded-for") end,
  remote_user = user,
}
local FAMILIES = { http = header, cookie = cookie, arg = argument }

-- Pieces of text and of variables, by `+`; text is percent-encoded, a variable begins with `$`, one of a family has a `:`.
local function template_of(text)
  local template = {}
  for piece in text:gmatch("[^+]+") do
    local family, name = piece:match("^%$(%w+):(.*)$")
    if family then
      table.insert(template, { value = assert(FAMILIES[family]), name = decode(name) })
    elseif piece:sub(1, 1) == "$" then
      table.insert(template, { value = assert(VARIABLES[piece:sub(2)]) })
    else
      table.insert(template, decode(piece))
    end
  end
  return #template > 0 and template or nil
end

-- The text, and whether some variable in it has a value.
local function fill(template, request)
  local texts, is_filled = {}, false
  for index, piece in ipairs(template) do
    if type(piece) == "string" then
      texts[index] = piece
    else
      texts[index] = piece.value(request, piece.name) or ""
      is_filled = is_filled or texts[index] ~= ""
    end
  end
  return table.concat(texts), is_filled
end

local function durations_of(text)
  local durations = {}
  for status, seconds in text:gmatch("(%w+):(%d+)") do
    durations[status] = tonumber(seconds)
  end
  return durations
end

local policies, policy_count, policy_number = {}, 0, 0

local function policy_of(text)
  local known = policies[text]
  if known then
    return known
  end
  local fields = core.tokenize(text, "|")
  local headers = {}
  for name in fields[6]:gmatch("[^,]+") do
    table.insert(headers, name)
  end
  local sent = {}
  for name, template in fields[7]:gmatch("([^,:]+)=([^,]*)") do
    table.insert(sent, { name = name, template = template_of(template) })
  end
  policy_number = policy_number + 1
  local policy = {
    number = policy_number,
    method = fields[1],
    host = fields[2],
    target = template_of(fields[3]),
    timeout = tonumber(fields[4]),
    always_sets_cookies = fields[5] == "always",
    headers = headers,
    sent = sent,
    redirect = template_of(fields[8]),
    sign_in = template_of(fields[9]),
    key = template_of(fields[10]),
    durations = durations_of(fields[11]),
  }
  if policy_count >= MOST_POLICIES then
    policies, policy_count = {}, 0
  end
  policies[text] = policy
  policy_count = policy_count + 1
  return policy
end

-- What the client says under the names that the service's answer fills, however it writes them.
local function remove_feigned(request, policy)
  local http = request.transaction.http
  local filled = {}
  for _, name in ipairs(policy.headers) do
    filled[name:gsub("_", "-")] = true
  end
  if not next(filled) then
    return
  end
  for name in pairs(headers_of(request)) do
    if filled[name:gsub("_", "-")] then
      http:req_del_header(name)
    end
  end
end

local function headers_for(request, policy)
  local headers = {}
  for name, values in pairs(headers_of(request)) do
    if not NOT_SENT[name] and not is_feigned(name) then
      headers[name] = values
    end
  end
  local uri = VARIABLES.request_uri(request)
  local said = {
    ["host"] = policy.host,
    ["x-original-url"] = VARIABLES.scheme(request) .. "://" .. header(request, "host") .. uri,
    ["x-original-uri"] = uri,
    ["x-original-method"] = VARIABLES.request_method(request),
    ["x-sent-from"] = "nginx-ingress-controller",
    ["x-auth-request-redirect"] = policy.redirect and clean_header((fill(policy.redirect, request))) or uri,
  }
  for name, value in pairs(said) do
    headers[name] = { value }
  end
  for _, one in ipairs(policy.sent) do
    local value = one.template and clean_header((fill(one.template, request))) or ""
    headers[one.name] = value ~= "" and { value } or nil
  end
  headers["x-remora-route"] = { request.route }
  headers["x-remora-method"] = { policy.method }
  return headers
end

local function ask(request, policy)
  local client = core.httpclient()
  local target = clean_url((fill(policy.target, request)))
  return (policy.method == "HEAD" and client.head or client.get)(client, {
    url = "http://external-auth" .. target,
    dst = "unix@" .. SOCKET,
    headers = headers_for(request, policy),
    timeout = policy.timeout,
  })
end

local function new_generation()
  return { answers = {}, count = 0, bytes = 0 }
end

local younger, elder = new_generation(), new_generation()

local function keep(key, answer)
  if younger.count >= MOST_ANSWERS or younger.bytes + answer.bytes > MOST_BYTES then
    younger, elder = new_generation(), younger
  end
  if not younger.answers[key] then
    younger.count = younger.count + 1
    younger.bytes = younger.bytes + answer.bytes
  end
  younger.answers[key] = answer
end

local function find_kept(key)
  local answer = younger.answers[key]
  if not answer then
    answer = elder.answers[key]
    if answer then
      elder.answers[key] = nil
      keep(key, answer)
    end
  end
  return answer and core.now().sec < answer.ends and answer or nil
end

-- For how many seconds an answer counts: what it says itself goes before what the policy says (nginx's proxy_cache_valid).
local function lifetime(policy, answer)
  local headers = answer.headers
  if headers["set-cookie"] then
    return 0
  end
  local vary = joined(headers["vary"]):lower()
  if vary ~= "" and vary ~= "accept-encoding" then
    return 0
  end
  local own = tonumber(joined(headers["x-accel-expires"]))
  if own then
    return own
  end
  local control = joined(headers["cache-control"]):lower()
  if control:find("no-cache", 1, true) or control:find("no-store", 1, true) or control:find("private", 1, true) then
    return 0
  end
  local age = control:match("s%-maxage=(%d+)") or control:match("max%-age=(%d+)")
  if age then
    return tonumber(age)
  end
  if headers["expires"] then
    return (core.http_date(joined(headers["expires"])) or 0) - core.now().sec
  end
  return policy.durations[tostring(answer.status)] or policy.durations["any"] or 0
end

local function size_of(key, headers)
  local size = #key + OF_EACH_ANSWER
  for name, values in pairs(headers) do
    for _, value in pairs(values) do
      size = size + #name + #value
    end
  end
  return size
end

-- The answer of the service, or one that it gave to the same question. Only a key in which something is of the request is one.
local function find_answer(request, policy)
  local key, is_filled = "", false
  if policy.key then
    key, is_filled = fill(policy.key, request)
    is_filled = is_filled or #policy.key == 1 and type(policy.key[1]) == "string"
    key = table.concat({ policy.number, request.route, VARIABLES.host(request), key }, "\n")
  end
  local kept = is_filled and find_kept(key)
  if kept then
    return kept
  end
  local answer = ask(request, policy)
  if not (answer and answer.status and answer.headers) then
    return nil
  end
  answer = { status = answer.status, headers = answer.headers }
  local seconds = is_filled and lifetime(policy, answer) or 0
  if seconds > 0 then
    answer.bytes = size_of(key, answer.headers)
    answer.ends = core.now().sec + seconds
    if answer.bytes <= LARGEST_KEPT then
      keep(key, answer)
    end
  end
  return answer
end

-- For rules and snippets: `txn.upstream_http_x_user` is what nginx calls `$upstream_http_x_user`.
local function tell(transaction, answer)
  for name, values in pairs(answer.headers) do
    if name:find("^[a-z0-9-]+$") then
      transaction:set_var("txn.upstream_http_" .. name:gsub("-", "_"), joined(values))
    end
  end
  local cookies = answer.headers["set-cookie"] or {}
  for index = 0, MOST_COOKIES - 1 do
    if cookies[index] then
      transaction:set_var("txn.auth_cookie" .. (index + 1), cookies[index])
    end
  end
end

-- Whether all went in: HAProxy leaves out what its buffer has no room for.
local function copy_headers(transaction, policy, answer)
  local http = transaction.http
  for _, name in ipairs(policy.headers) do
    local values = answer.headers[name]
    for index = 0, values and #values or -1 do
      http:req_add_header(name, values[index])
      if transaction.f:req_fhdr(name) ~= values[index] then
        return false
      end
    end
  end
  return true
end

local function authenticate(transaction)
  local policy = policy_of(transaction:get_var("txn.external_auth"))
  local request = { transaction = transaction, route = transaction:get_var("txn.route") }
  remove_feigned(request, policy)
  if transaction:get_var("txn.granted") then
    return
  end
  local answer = find_answer(request, policy)
  local status = answer and answer.status or 500
  if answer then
    tell(transaction, answer)
  end
  if status >= 200 and status < 300 then
    status = copy_headers(transaction, policy, answer) and 200 or 500
  elseif status ~= 401 and status ~= 403 then
    status = 500
  end
  if policy.always_sets_cookies then
    transaction:set_var("txn.auth_cookies_always", true)
  end
  transaction:set_var("txn.auth_status", status)
end

local function find_sign_in(transaction)
  local policy = policy_of(transaction:get_var("txn.external_auth"))
  if policy.sign_in then
    local request = { transaction = transaction, route = transaction:get_var("txn.route") }
    transaction:set_var("txn.sign_in", clean_url((fill(policy.sign_in, request))))
  end
end

-- An answer without its body, which nobody reads, whatever its length.
local function keep_head(transaction)
  local reply = transaction:reply({ status = transaction.f:status() })
  for name, values in pairs(transaction.http:res_get_headers()) do
    if name ~= "content-length" and name ~= "transfer-encoding" then
      for index = 0, #values do
        reply:add_header(name, values[index])
      end
    end
  end
  transaction:done(reply)
end

core.register_action("authenticate", { "http-req" }, authenticate)
core.register_action("find_sign_in", { "http-req" }, find_sign_in)
core.register_action("keep_head", { "http-res" }, keep_head)
