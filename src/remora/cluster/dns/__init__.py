"""The cluster's DNS: `directory` holds what names depend on, `answer` decides, `message` speaks wire format, `server` serves."""
