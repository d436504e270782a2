"""Logs (behaviour reference, configuration, section 2.2)."""

from dataclasses import dataclass

from remora.annotations.declare import idle_setting, planned_setting

_OFF = ("0", "f", "false", "off")
_NO_ACCESS_LOG = "There is no access log yet."
_CONTROLLER = "The controller's log goes to standard error, HAProxy writes none."


@dataclass(frozen=True, slots=True)
class Logging:
    """What is written about requests and errors."""

    path: str = idle_setting("access-log-path", "Where the access log goes.", _NO_ACCESS_LOG)
    http_path: str = idle_setting("http-access-log-path", "Where that of HTTP goes.", _NO_ACCESS_LOG)
    stream_path: str = idle_setting("stream-access-log-path", "Where that of TCP goes.", _NO_ACCESS_LOG)
    params: str = idle_setting("access-log-params", "How it is buffered.", _NO_ACCESS_LOG)
    disable: str = idle_setting("disable-access-log", "Switches the access log off.", _NO_ACCESS_LOG)
    disable_http: str = idle_setting("disable-http-access-log", "The same for HTTP.", _NO_ACCESS_LOG)
    disable_stream: str = idle_setting("disable-stream-access-log", "The same for TCP.", _NO_ACCESS_LOG)
    default_backend: str = planned_setting(
        "enable-access-log-for-default-backend", "Logs requests to the default backend.", usual=_OFF
    )
    auth: str = planned_setting("enable-auth-access-log", "Logs requests for authentication.", usual=_OFF)
    skipped: str = idle_setting("skip-access-log-urls", "Requests that are not logged.", _NO_ACCESS_LOG)
    upstream_format: str = planned_setting("log-format-upstream", "The line for a request.")
    stream_format: str = planned_setting("log-format-stream", "The line for a TCP connection.")
    escape_json: str = planned_setting("log-format-escape-json", "Escapes values as JSON does.", usual=_OFF)
    escape_none: str = planned_setting("log-format-escape-none", "Escapes nothing.", usual=_OFF)
    error_path: str = idle_setting("error-log-path", "Where errors go.", _CONTROLLER)
    error_level: str = idle_setting("error-log-level", "Which errors are written.", _CONTROLLER)
    syslog: str = planned_setting("enable-syslog", "Sends logs to a syslog server.", usual=_OFF)
    syslog_host: str = planned_setting("syslog-host", "The syslog server.")
    syslog_port: str = planned_setting("syslog-port", "Its port.", usual=("514",))
    debugged: str = idle_setting("debug-connections", "Addresses with a debug log.", "HAProxy has no debug log by address.")
