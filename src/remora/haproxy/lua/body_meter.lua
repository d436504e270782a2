-- Counts the bytes of a request's body while they are passed on. Of what is too large the pod gets no more and never the end;
-- it is taken from the client for a while, who would be reset otherwise, perhaps before the answer is read.

local LONGEST = 30 -- seconds, as nginx lingers

local Meter = {}
Meter.id = "body-meter"
Meter.flags = filter.FLT_CFG_FL_HTX
Meter.__index = Meter

function Meter:new()
  return setmetatable({ passed = 0 }, Meter)
end

function Meter:start_analyze(_, channel)
  if not channel:is_resp() then
    filter.register_data_filter(self, channel)
  elseif not self.has_ended then -- both or none: see both_ways.py
    filter.register_data_filter(self, channel)
    self.response = channel
  end
end

function Meter:http_payload(transaction, message)
  if message.channel:is_resp() then
    return
  end
  if self.limit == nil then
    self.limit = tonumber(transaction:get_var("txn.body_limit")) or 0
  end
  self.passed = self.passed + #(message:body() or "")
  if self.limit == 0 or self.passed <= self.limit then
    return
  end
  if self.since == nil then
    self.since = core.now().sec
    transaction:set_var("txn.body_is_larger", 1)
  end
  if message:eom() or core.now().sec - self.since > LONGEST then
    error() -- which ends the request; `filter.ERROR` does nothing here
  end
  message:remove()
end

function Meter:http_end(_, message)
  if message.channel:is_resp() then
    return
  end
  if self.since then
    error()
  end
  self.has_ended = true
  if self.response then
    filter.unregister_data_filter(self, self.response)
  end
end

core.register_filter("body_meter", Meter, function(class)
  return class
end)
