-- The page of a default backend in place of an error: fetched through HAProxy itself, whose frontend behind the socket knows
-- the default backend of the route, and answered with its status, headers and body.
--
-- If there is no page in time, or if it is too long for HAProxy's buffer, nothing is done and the error stays as it is.

local SOCKET = ...
local LONGEST_WAIT = 5000 -- milliseconds
local LARGEST = 14336 -- bytes of headers and body; a buffer has 16384, of which rules that add headers need some
local OF_EACH_HEADER = 16 -- bytes that a buffer needs beside the text

local function set(...)
  local names = {}
  for _, name in ipairs({ ... }) do
    names[name] = true
  end
  return names
end

-- Of one connection (RFC 9110 section 7.6.1), of a body that is not sent, or not for a default backend.
local NOT_SENT = set(
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
  "content-length", "content-type", "content-encoding", "expect",
  "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-scheme", "x-scheme",
  "x-code", "x-format", "x-original-uri", "x-namespace", "x-ingress-name", "x-service-name", "x-service-port",
  "x-remora-route", "x-remora-method"
)
local NOT_ANSWERED = set("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "x-remora-page")

local function headers_for(transaction, status, method, uri)
  local headers = {}
  for line in (transaction:get_var("txn.asked_headers") or ""):gmatch("[^\r\n]+") do
    local name, value = line:match("^([^:]+):[ \t]*(.*)$")
    if name and not NOT_SENT[name:lower()] then
      name = name:lower()
      headers[name] = headers[name] or {}
      table.insert(headers[name], value)
    end
  end
  local said = {
    ["x-remora-route"] = transaction:get_var("txn.route"),
    ["x-remora-method"] = method,
    ["x-code"] = tostring(status),
    ["x-original-uri"] = uri,
    ["x-format"] = headers["accept"] and table.concat(headers["accept"], ",") or "",
  }
  local fields = core.tokenize(transaction:get_var("txn.error_pages"), "|")
  for index, name in ipairs({ "x-namespace", "x-ingress-name", "x-service-name", "x-service-port" }) do
    said[name] = fields[index + 1] or ""
  end
  for name, value in pairs(said) do
    if value ~= "" then
      headers[name] = { value }
    end
  end
  return headers
end

local function fetch(transaction, status)
  local method, uri = (transaction:get_var("txn.asked") or ""):match("^(%S+) (.*)$")
  if not method then
    return nil
  end
  local client = core.httpclient()
  local ask = method == "HEAD" and client.head or client.get
  local query = uri:match("%?.*$") or ""
  local page = ask(client, {
    url = "http://error-pages/" .. query,
    dst = "unix@" .. SOCKET,
    headers = headers_for(transaction, status, method, uri),
    timeout = LONGEST_WAIT,
  })
  -- What HAProxy answers itself on the way, since the default backend is away, is no page.
  if page and page.headers and page.headers["x-remora-page"] then
    return page, method
  end
end

-- A reply has the length of its own body; the answer to a HEAD has that of another, but no body that had to go.
local function change_headers(http, page)
  for name in pairs(http:res_get_headers()) do
    http:res_del_header(name)
  end
  http:res_set_status(page.status, page.reason)
  for name, values in pairs(page.headers) do
    for _, value in pairs(NOT_ANSWERED[name] and {} or values) do
      http:res_add_header(name, value)
    end
  end
end

local function answer(transaction, answered)
  local page, method = fetch(transaction, transaction:get_var("txn.error_status"))
  if not page then
    return
  end
  if method == "HEAD" and answered then
    change_headers(transaction.http, page)
    return
  end
  local reply = transaction:reply({ status = page.status, reason = page.reason })
  local size = #page.body
  for name, values in pairs(page.headers) do
    if not NOT_ANSWERED[name] and name ~= "content-length" then
      for _, value in pairs(values) do
        reply:add_header(name, value)
        size = size + #name + #value + OF_EACH_HEADER
      end
    end
  end
  if size > LARGEST then
    return
  end
  -- Not `set_body`, which ends a text at its first NUL.
  reply.body = page.body
  transaction:done(reply)
end

core.register_action("answer_with_error_page", { "http-res" }, function(transaction) answer(transaction, true) end)
core.register_action("deny_with_error_page", { "http-req" }, function(transaction) answer(transaction, false) end)
