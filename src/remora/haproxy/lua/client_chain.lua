-- How many authorities stand between a client's certificate and the one that is trusted, by what the client sent.

-- Where the content of the element at `at` begins, and where the next element does (X.690 section 8.1).
local function element(text, at)
  local length = text:byte(at + 1)
  if length < 128 then
    return at + 2, at + 2 + length
  end
  local size = length - 128
  length = 0
  for place = at + 2, at + 1 + size do
    length = length * 256 + text:byte(place)
  end
  return at + 2 + size, at + 2 + size + length
end

-- Whether the certificate is its own issuer's (RFC 5280 section 4.1): such a one is the end of a chain.
local function is_root(text, at)
  local fields = (element(text, (element(text, at))))
  if text:byte(fields) == 0xa0 then -- the version
    fields = select(2, element(text, fields))
  end
  local _, algorithm = element(text, fields)
  local _, issuer = element(text, algorithm)
  local _, validity = element(text, issuer)
  local _, subject = element(text, validity)
  local _, key = element(text, subject)
  return text:sub(issuer, validity - 1) == text:sub(subject, key - 1)
end

local MOST_DIGITS = 12000 -- HAProxy cuts off what its buffer does not take
local TOO_MANY = 1000

-- Of hexadecimal digits, since HAProxy hands texts over up to their first NUL. What cannot be read is too long.
core.register_converters("intermediates", function(digits)
  if #digits > MOST_DIGITS then
    return TOO_MANY
  end
  local chain = digits:gsub("%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end)
  local at, count = 1, 0
  local is_read = pcall(function()
    while at <= #chain do
      if not is_root(chain, at) then
        count = count + 1
      end
      at = select(2, element(chain, at))
    end
  end)
  return is_read and at == #chain + 1 and count or TOO_MANY
end)
