"""What goes both ways for as long as it lasts: exec, attach and port-forward, by WebSocket or SPDY."""
