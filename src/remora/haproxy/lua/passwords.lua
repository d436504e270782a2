-- Passwords that HAProxy has not seen yet: basic authentication where no earlier check of the same is known, and digest.
--
-- What costs nothing (SHA-1) and what most files have (MD5 of Apache and of crypt) is computed here, so that it needs nobody.
-- Hashes that are made to be slow are the controller's to try, behind a Unix socket, since they would hold a thread of HAProxy
-- for as long as they take. Equal questions at the same time are one; wrong answers are known for a while; and an address that
-- asks for much that is wrong must wait.

local USERS, SOCKET, KEY = ...

local LONGEST_PASSWORD = 512 -- bytes, as in crypt(3)
local LONGEST_WAIT = 10 -- seconds for the controller
local LOOK_INTERVAL = 3 -- milliseconds
local MOST_ASKED = 64 -- questions to the controller at a time
local WINDOW = 10 -- seconds in which the attempts of an address are counted
local MOST_ATTEMPTS = 10 -- of one address in a window, those aside that were right
local REFUSAL_KEPT = 60 -- seconds
local MOST_KEPT = 10000 -- addresses, and refusals
local NONCE_LIFETIME = 300 -- seconds
local SKEW = 10 -- seconds that the clocks of replicas may differ
local LONGEST_HEADER = 4096 -- bytes of a digest's header

local users = Map.new(USERS, Map._str)

local function random_key()
  local file = assert(io.open("/dev/urandom", "rb"))
  local bytes = file:read(32)
  file:close()
  return bytes
end

local own_key = random_key()

local function signed(transaction, text)
  local key = KEY or transaction.c:base64(own_key)
  return transaction.c:hmac(text, "sha256", key)
end

local function hex(bytes)
  return (bytes:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

local function unhex(digits)
  return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- What is known for a while: two generations, of which the older goes when the younger is old or large.
local function memory(lifetime)
  local young, old, size, began = {}, {}, 0, 0
  local function renew()
    local now = core.now().sec
    if now - began >= lifetime or size >= MOST_KEPT then
      young, old, size = {}, now - began < 2 * lifetime and young or {}, 0
      began = now
    end
  end
  return {
    value = function(key)
      renew()
      return (young[key] or 0) + (old[key] or 0)
    end,
    add = function(key, difference)
      renew()
      if not young[key] then
        size = size + 1
      end
      young[key] = (young[key] or 0) + difference
    end,
  }
end

local attempts, refusals = memory(WINDOW), memory(REFUSAL_KEPT)

local function fits_sha1(transaction, hash, password)
  local digest, salt = hash:match("^sha1:(%x+):(%x*)$")
  return digest ~= nil and hex(transaction.c:sha1(password .. unhex(salt))) == digest
end

local ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local GROUPS = { { 1, 7, 13 }, { 2, 8, 14 }, { 3, 9, 15 }, { 4, 10, 16 }, { 5, 11, 6 } }

local function letters(value, count)
  local text = ""
  for _ = 1, count do
    text = text .. ALPHABET:sub(value % 64 + 1, value % 64 + 1)
    value = value // 64
  end
  return text
end

-- The MD5 of crypt(3), of which Apache's differs in what stands before the salt.
local function md5_crypt(transaction, magic, salt, password)
  local function md5(text)
    return transaction.c:digest(text, "md5")
  end
  local final, text, length = md5(password .. salt .. password), password .. magic .. salt, #password
  text = text .. final:rep(length // 16) .. final:sub(1, length % 16)
  while length > 0 do
    text = text .. (length % 2 == 1 and "\0" or password:sub(1, 1))
    length = length // 2
  end
  final = md5(text)
  for round = 0, 999 do
    local is_odd = round % 2 == 1
    text = is_odd and password or final
    if round % 3 ~= 0 then
      text = text .. salt
    end
    if round % 7 ~= 0 then
      text = text .. password
    end
    final = md5(text .. (is_odd and final or password))
  end
  local bytes = { final:byte(1, 16) }
  local result = ""
  for _, group in ipairs(GROUPS) do
    local value = bytes[group[1]] * 65536 + bytes[group[2]] * 256 + bytes[group[3]]
    result = result .. letters(value, 4)
  end
  return result .. letters(bytes[12], 2)
end

local function fits_md5(transaction, hash, password)
  local magic, salt, digest = hash:match("^(%$%w+%$)([^$]*)%$(.*)$")
  return md5_crypt(transaction, magic, salt, password) == digest
end

-- Whether the controller says yes; nil if it says nothing.
local function ask(hash, password)
  local socket = core.tcp()
  socket:settimeout(LONGEST_WAIT)
  local answer
  if socket:connect("unix@" .. SOCKET) and socket:send(hash .. " " .. hex(password) .. "\n") then
    answer = socket:receive("*l")
  end
  socket:close()
  if answer == "yes" or answer == "no" then
    return answer == "yes"
  end
end

local asked, number_asked = {}, 0

-- In a task of its own: a request that is given up would leave it half done.
local function question(name, hash, password)
  local one = asked[name]
  if not one and number_asked < MOST_ASKED then
    one = {}
    asked[name], number_asked = one, number_asked + 1
    core.register_task(function()
      local is_answered, answer = pcall(ask, hash, password)
      if is_answered then
        one.answer = answer
      end
      one.is_done = true
      asked[name], number_asked = nil, number_asked - 1
    end)
  end
  return one
end

-- true, false, or nil and the status with which the request is refused.
local function is_right(transaction, hash, password)
  if hash:find("^sha1:") then
    return fits_sha1(transaction, hash, password)
  end
  local name, client = signed(transaction, hash .. " " .. password), transaction:get_var("txn.client_network")
  if refusals.value(name) > 0 then
    return false
  end
  if attempts.value(client) >= MOST_ATTEMPTS then
    return nil, 429
  end
  attempts.add(client, 1)
  local answer
  if hash:find("^%$apr1%$") or hash:find("^%$1%$") then
    answer = fits_md5(transaction, hash, password)
  else
    local one = question(name, hash, password)
    if not one then
      return nil, 503
    end
    for _ = 1, LONGEST_WAIT * 1000 // LOOK_INTERVAL do
      if one.is_done then
        break
      end
      core.msleep(LOOK_INTERVAL)
    end
    answer = one.answer
  end
  if answer == nil then
    attempts.add(client, -1)
    return nil, 503
  end
  if answer then
    attempts.add(client, -1)
  else
    refusals.add(name, 1)
  end
  return answer
end

core.register_action("check_password", { "http-req" }, function(transaction)
  local hash, password = transaction:get_var("txn.hash"), transaction.f:http_auth_pass()
  if not password or #password > LONGEST_PASSWORD then
    return
  end
  local answer, status = is_right(transaction, hash, password)
  if answer then
    transaction:set_var("txn.authenticated", true)
  elseif status then
    transaction:set_var("txn.login_failure", status)
  end
end)

-- The parameters of a header; nothing if it is malformed or says something twice.
local function parameters(text)
  local found, position = {}, 1
  while true do
    local name, after = text:match("^[%s,]*([%w*-]+)%s*=%s*()", position)
    if not name then
      break
    end
    name = name:lower()
    if found[name] then
      return {}
    end
    if text:sub(after, after) == '"' then
      local ending = after
      repeat
        ending = text:find('["\\]', ending + 1)
        local is_escape = ending and text:sub(ending, ending) == "\\"
        ending = is_escape and ending + 1 or ending
      until not is_escape
      if not ending then
        return {}
      end
      found[name], position = text:sub(after + 1, ending - 1):gsub("\\(.)", "%1"), ending + 1
    else
      found[name], position = text:match("^([^%s,]*)()", after)
    end
  end
  return position > #text and found or {}
end

local function nonce_of(transaction, time)
  local text = string.format("%08x", time)
  return text .. hex(signed(transaction, "digest " .. transaction:get_var("txn.route") .. " " .. text)):sub(1, 32)
end

local function fits_digest(transaction, said, realm)
  local user, nonce = said.username, said.nonce or ""
  local time = tonumber(nonce:match("^(%x%x%x%x%x%x%x%x)") or "", 16)
  if not (user and time and said.realm == realm and said.qop == "auth" and said.cnonce and said.response) then
    return false
  end
  if (said.algorithm or "MD5"):upper() ~= "MD5" or not (said.nc or ""):find("^%x%x%x%x%x%x%x%x$") then
    return false
  end
  local now = core.now().sec
  if nonce ~= nonce_of(transaction, time) or time > now + SKEW then
    return false
  end
  if said.uri ~= transaction.f:pathq() and said.uri ~= transaction.f:url() then
    return false
  end
  local secret = users:lookup(transaction:get_var("txn.route") .. "/" .. hex(user):upper())
  if not secret then
    return false
  end
  local function md5(...)
    return hex(transaction.c:digest(table.concat({ ... }, ":"), "md5"))
  end
  local wanted = md5(secret, nonce, said.nc, said.cnonce, said.qop, md5(transaction.f:method(), said.uri))
  return wanted == said.response:lower(), now - time > NONCE_LIFETIME
end

core.register_action("check_digest", { "http-req" }, function(transaction)
  local header, realm = transaction:get_var("txn.authorization") or "", transaction:get_var("txn.realm") or ""
  local text = #header <= LONGEST_HEADER and header:match("^[Dd][Ii][Gg][Ee][Ss][Tt]%s+(.*)$")
  local is_right, is_stale = false, false
  if text then
    is_right, is_stale = fits_digest(transaction, parameters(text), realm)
  end
  if is_right and not is_stale then
    transaction:set_var("txn.authenticated", true)
    return
  end
  local stale = is_right and ", stale=true" or ""
  local nonce = nonce_of(transaction, core.now().sec)
  local challenge = 'Digest realm="%s", qop="auth", algorithm=MD5, nonce="%s"%s'
  transaction:set_var("txn.challenge", string.format(challenge, realm, nonce, stale))
end)
