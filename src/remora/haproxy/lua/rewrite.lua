-- A path made anew from what groups of a regular expression took of it.
--
-- Which expression it is says the map `rewrites`, so a route that rewrites needs no text of its own in HAProxy's configuration.

local MOST = 10000 -- expressions that are kept; of more than anybody has, the first are compiled again

local kept, number = {}, 0

-- A text of the map: `*`, what the path becomes (`$1` is what the first group took), a blank, the expression.
local function rewrite_of(text)
  local known = kept[text]
  if known then
    return known
  end
  local template, pattern = text:match("^%*(%S*) (.*)$")
  local is_compiled, expression = Regex.new(pattern, true)
  local last = 0
  for group in template:gmatch("%$(%d)") do
    last = math.max(last, tonumber(group))
  end
  local found = {
    template = template,
    pattern = pattern,
    expression = is_compiled and expression,
    last = last,
  }
  if not is_compiled then
    core.log(core.err, "a rewrite is not understood: " .. tostring(expression))
  end
  if number >= MOST then
    kept, number = {}, 0
  end
  kept[text], number = found, number + 1
  return found
end

core.register_action("rewrite_path", { "http-req" }, function(transaction)
  local rewrite = rewrite_of(transaction:get_var("txn.rewrite"))
  if not rewrite.expression then
    transaction:done(transaction:reply({ status = 503 }))
  end
  local path = transaction:get_var("txn.raw_path")
  local is_match, groups = rewrite.expression:match(path)
  if not is_match then
    return
  end
  if #groups > rewrite.last then
    -- In parentheses, since `gsub` gives a number too.
    path = (rewrite.template:gsub("%$(%d)", function(group) return groups[group + 1] end))
  else
    -- HAProxy leaves out all groups behind one that took no part in the match; its converter knows them, and compiles anew.
    local template = rewrite.template:gsub("\\", "\\\\"):gsub("%$(%d)", "\\%1")
    path = transaction.c:regsub(path, rewrite.pattern, template)
  end
  transaction.http:req_set_path(path)
end)
