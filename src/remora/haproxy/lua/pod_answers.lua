-- Names inside that pods put into cookies and redirects become those outside (nginx: proxy_cookie_domain, proxy_cookie_path,
-- proxy_redirect). Texts are compared as they are; none is a pattern.

local function begins(text, prefix)
  return text:sub(1, #prefix) == prefix
end

local function without_dot(domain)
  return begins(domain, ".") and domain:sub(2) or domain
end

local function domain_of(value, before, after)
  if without_dot(value):lower() == without_dot(before):lower() then
    return without_dot(after)
  end
  return value
end

local function prefix_of(value, before, after)
  if begins(value, before) then
    return after .. value:sub(#before + 1)
  end
  return value
end

-- The first piece of a cookie is its name and value.
local function cookie_of(cookie, names)
  local pieces = {}
  for piece in (cookie .. ";"):gmatch("([^;]*);") do
    local start, key, value = piece:match("^(%s*([^=%s]+)%s*=%s*)(.-)%s*$")
    if #pieces > 0 and start and start ~= "" then
      -- `key` is the inner of two captures, so `start` holds it too.
      local attribute = key:lower()
      if attribute == "domain" and names[1] ~= "" then
        piece = start .. domain_of(value, names[1], names[2])
      elseif attribute == "path" and names[3] ~= "" then
        piece = start .. prefix_of(value, names[3], names[4])
      end
    end
    table.insert(pieces, piece)
  end
  return table.concat(pieces, ";")
end

local function with_request(text, scheme, host)
  local known = { scheme = scheme, http_host = host, host = host:lower():gsub(":%d+$", "") }
  return (text:gsub("%$([a-z_]+)", known))
end

local function replace_all(http, headers, name, change)
  local values = headers[name]
  if not values then
    return
  end
  local changed, is_other = {}, false
  for index = 0, #values do
    changed[index] = change(values[index])
    is_other = is_other or changed[index] ~= values[index]
  end
  if not is_other then
    return
  end
  http:res_del_header(name)
  for index = 0, #values do
    http:res_add_header(name, changed[index])
  end
end

local function rewrite(transaction)
  local names = core.tokenize(transaction:get_var("txn.names"), "|")
  local headers = transaction.http:res_get_headers()
  if names[1] ~= "" or names[3] ~= "" then
    replace_all(transaction.http, headers, "set-cookie", function(value) return cookie_of(value, names) end)
  end
  if (names[5] or "") == "" then
    return
  end
  local scheme, host = (transaction:get_var("txn.asked_at") or ""):match("^(%S*) (.*)$")
  local before, after = with_request(names[5], scheme or "", host or ""), with_request(names[6], scheme or "", host or "")
  replace_all(transaction.http, headers, "location", function(value) return prefix_of(value, before, after) end)
  replace_all(transaction.http, headers, "refresh", function(value)
    local delay, url = value:match("^([^=]*[uU][rR][lL]%s*=%s*)(.*)$")
    return delay and delay .. prefix_of(url, before, after) or value
  end)
end

core.register_action("rewrite_answer", { "http-res" }, rewrite)
