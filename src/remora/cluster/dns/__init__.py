"""The cluster's DNS: `directory` is what names depend on, `answer` decides, `message` speaks wire format, `server` serves."""
