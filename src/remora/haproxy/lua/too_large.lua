-- Answers 413 and takes what is still on its way, for a while: a connection that is closed while a client sends is reset, and
-- the client may never read the answer.

local LONGEST = 30 -- seconds, as nginx lingers

core.register_service("too_large", "http", function(applet)
  local page = "<html><body><h1>413 Request entity too large</h1>\nThe request entity exceeds the maximum allowed.\n</body></html>\n"
  applet:set_status(413)
  applet:add_header("content-type", "text/html")
  applet:add_header("content-length", tostring(#page))
  applet:add_header("connection", "close")
  applet:start_response()
  applet:send(page)
  local started = core.now().sec
  while core.now().sec - started < LONGEST do
    local piece = applet:receive(16384)
    if piece == nil or piece == "" then
      return
    end
  end
end)
