-- Sends copies of requests to somebody whose answers do not matter. A request only leaves its copy here; a task sends it. What
-- cannot be sent, for whatever reason, is left out.

local MOST = 200 -- copies under way
local LONGEST_WAIT = 10000 -- milliseconds
local LARGEST = 14336 -- bytes of a body
local METHODS = { GET = "get", HEAD = "head", POST = "post", PUT = "put", DELETE = "delete" }

-- Of one connection (RFC 9110 section 7.6.1), or made anew.
local NOT_SENT = {}
for _, name in ipairs({
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
  "content-length", "expect", "host",
}) do
  NOT_SENT[name] = true
end

local under_way = 0

local function send(copy)
  -- A name that is not resolved or a target that is away is no error here; Lua's own would keep the place for ever.
  pcall(function()
    local client = core.httpclient()
    client[copy.method](client, copy.request)
  end)
  under_way = under_way - 1
end

local function with_request(text, known)
  return (text:gsub("%$([a-z_]+)", known))
end

-- Without a path the copy has the request's; a slash before `$request_uri` is the one that it begins with.
local function url_of(target, uri, host)
  if not target:match("^https?://[^/?$]+[/?$]") then
    return target .. uri
  end
  local path, query = uri:match("^([^?]*)(.*)$")
  if not target:find("$request_uri", 1, true) then
    local join = target:find("?", 1, true) and query:gsub("^%?", "&") or query
    return with_request(target, { host = host }) .. join
  end
  return with_request(target:gsub("/%$request_uri", "$request_uri"), { host = host, request_uri = path .. query })
end

local function headers_of(transaction, host)
  local headers = { host = { host } }
  for name, values in pairs(transaction.http:req_get_headers()) do
    if not NOT_SENT[name] then
      headers[name] = {}
      for index = 0, #values do
        table.insert(headers[name], values[index])
      end
    end
  end
  return headers
end

-- nil where there is one that cannot be copied.
local function body_of(transaction, is_wanted)
  local headers = transaction.http:req_get_headers()
  local length = headers["content-length"] and tonumber(headers["content-length"][0])
  if not is_wanted or length == 0 then
    return ""
  end
  if not length then
    return not headers["transfer-encoding"] and (transaction.f:req_body_len() or 0) == 0 and "" or nil
  end
  local body = length <= LARGEST and transaction.f:req_body() or ""
  return #body == length and body or nil
end

local function mirror(transaction)
  local method = METHODS[transaction.f:method()]
  local body = method and under_way < MOST and body_of(transaction, transaction:get_var("txn.mirror"):sub(1, 4) == "body")
  if not body then
    return
  end
  local which = core.tokenize(transaction:get_var("txn.mirror"), "|")
  local client_host = transaction.f:req_hdr("host") or ""
  local url = url_of(which[3], transaction.f:pathq(), (client_host:lower():gsub(":%d+$", "")))
  local host = which[2] == "$host" and client_host or which[2]
  local request = { url = url, headers = headers_of(transaction, host), timeout = LONGEST_WAIT }
  if body ~= "" then
    request.body = body
    request.headers["content-length"] = { tostring(#body) } -- else it is sent in chunks
  end
  under_way = under_way + 1
  core.register_task(send, { method = method, request = request })
end

core.register_action("mirror", { "http-req" }, mirror)
