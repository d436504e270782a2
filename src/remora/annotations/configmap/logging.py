"""Logs (behaviour reference, configuration, section 2.2)."""

import re
from dataclasses import dataclass

from remora.annotations.configmap.values import alphabet, matches, whole
from remora.annotations.declare import Support, global_setting, idle_setting
from remora.annotations.values import ValueRefused, boolean
from remora.core.options import LOG_FORMAT, HeaderValue, log_pieces

_TO_OUTPUT = "The access log goes to the controller's standard output, or to syslog."
_NO_QUESTIONS = "Questions to authentication services are not logged."
_NO_STREAMS = "Connections of TCP services are not logged."
_CONTROLLER = "The controller's log goes to standard error, HAProxy writes none."


def log_format(text: str) -> HeaderValue:
    """A line in nginx's words, as text and variables in turn."""
    if not text.strip() or len(text) > 4096 or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        raise ValueRefused("it is empty, longer than 4096 characters or has control characters")
    # Configurations are often folded over lines; a request has one.
    return log_pieces(" ".join(text.split("\n")).strip())


@dataclass(frozen=True, slots=True)
class Logging:
    """What is written about requests and errors."""

    path: str = idle_setting("access-log-path", "Where the access log goes.", _TO_OUTPUT)
    http_path: str = idle_setting("http-access-log-path", "Where that of HTTP goes.", _TO_OUTPUT)
    stream_path: str = idle_setting("stream-access-log-path", "Where that of TCP goes.", _NO_STREAMS)
    params: str = idle_setting("access-log-params", "How it is buffered.", _TO_OUTPUT)
    disable: bool = global_setting(
        "disable-access-log",
        boolean,
        default=True,
        support=Support.PARTIAL,
        differs="`true` is the default here: `false` switches the access log on.",
        doc="Whether requests are not logged.",
        accepts=("false",),
        refuses=("off",),
        haproxy=("log", "log-format"),
    )
    disable_http: bool = global_setting(
        "disable-http-access-log",
        boolean,
        default=False,
        doc="`true` switches the access log off; it goes before `disable-access-log`.",
        accepts=("true",),
        refuses=("on",),
    )
    disable_stream: str = idle_setting("disable-stream-access-log", "The same for TCP.", _NO_STREAMS)
    default_backend: bool = global_setting(
        "enable-access-log-for-default-backend",
        boolean,
        default=False,
        doc="Logs requests that no route takes.",
        accepts=("true",),
        refuses=("on",),
    )
    auth: str = idle_setting("enable-auth-access-log", "Logs requests for authentication.", _NO_QUESTIONS)
    skipped: tuple[str, ...] = global_setting(
        "skip-access-log-urls",
        matches,
        default=(),
        doc="URIs that are not logged, exact or as a regular expression behind `~`.",
        accepts=("/healthz,~^/static/",),
        refuses=("~", "/a\x01b"),
        haproxy=("acl",),
    )
    upstream_format: tuple[str, ...] = global_setting(
        "log-format-upstream",
        log_format,
        default=log_pieces(LOG_FORMAT),
        support=Support.PARTIAL,
        differs="Durations have milliseconds as HAProxy counts them; `$body_bytes_sent` and `$upstream_response_length` "
        "include the headers; of several tries only the last is listed. An unknown variable is written as `-`.",
        doc="The line for a request, in nginx's words.",
        accepts=("$remote_addr $status", '{"status": $status}'),
        refuses=("", "a\x01b"),
        haproxy=("log-format", "http-request capture"),
    )
    stream_format: str = idle_setting("log-format-stream", "The line for a TCP connection.", _NO_STREAMS)
    escape_json: bool = global_setting(
        "log-format-escape-json",
        boolean,
        default=False,
        doc="Escapes values as JSON does; absent ones are empty.",
        accepts=("true",),
        refuses=("on",),
    )
    escape_none: bool = global_setting(
        "log-format-escape-none",
        boolean,
        default=False,
        support=Support.PARTIAL,
        differs="Line ends and other control characters are escaped nonetheless.",
        doc="Escapes nothing; it goes before `log-format-escape-json`.",
        accepts=("true",),
        refuses=("on",),
    )
    error_path: str = idle_setting("error-log-path", "Where errors go.", _CONTROLLER)
    error_level: str = idle_setting("error-log-level", "Which errors are written.", _CONTROLLER)
    syslog: bool = global_setting(
        "enable-syslog",
        boolean,
        default=False,
        doc="Sends the access log to a syslog server (UDP) instead.",
        accepts=("true",),
        refuses=("on",),
    )
    syslog_host: str = global_setting(
        "syslog-host",
        alphabet("[A-Za-z0-9_.:-]{1,253}", "the name or address of a host"),
        default="",
        doc="The syslog server.",
        accepts=("syslog.logging.svc", "10.0.0.1"),
        refuses=("a b", "a\nb"),
    )
    syslog_port: int = global_setting(
        "syslog-port", whole(1, 65535), default=514, doc="Its port.", accepts=("1514",), refuses=("many", "70000")
    )
    debugged: str = idle_setting("debug-connections", "Addresses with a debug log.", "HAProxy has no debug log by address.")
