"""The access log: nginx's format and variables, filled from what HAProxy says of a request.

Whatever a client sends, a request is one line, and no value leaves its place: quotes, backslashes and control characters are
escaped, as nginx does it or as JSON has it.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from remora.core.options import ProxyOptions
from remora.haproxy.features import request_log
from remora.observe.request_labels import RequestLabels
from remora.observe.request_line import ABSENT, RequestLine, decoded

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Value = Callable[[RequestLine, RequestLabels, list[str], list[str]], str]
"""What a variable is: of the line, of its route, and of the captures of request and answer. `-` and "" are absent."""


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}" if milliseconds >= 0 else ABSENT


def _upstream(number: int) -> Value:
    def value(line: RequestLine, *_: object) -> str:
        times = line.upstream
        return _seconds(times[number]) if times else ABSENT

    return value


def _if_answered(text: Callable[[RequestLine], str]) -> Value:
    return lambda line, *_: text(line) if line.milliseconds("header") >= 0 else ABSENT


def _field(name: str) -> Value:
    return lambda line, *_: line.text(name)


def _own(number: int) -> Value:
    return lambda _line, _labels, sent, _answered: decoded(sent[number]) if number < len(sent) else ABSENT


def _request(line: RequestLine, _labels: RequestLabels, sent: list[str], _answered: list[str]) -> str:
    if not sent:
        return ""
    return f"{line.text('method')} {decoded(sent[0])} {line.text('protocol')}"


def _path(_line: RequestLine, _labels: RequestLabels, sent: list[str], _answered: list[str]) -> str:
    return decoded(sent[0]).partition("?")[0] if sent else ABSENT


def _query(_line: RequestLine, _labels: RequestLabels, sent: list[str], _answered: list[str]) -> str:
    return decoded(sent[0]).partition("?")[2] if sent else ABSENT


def _host(_line: RequestLine, _labels: RequestLabels, sent: list[str], _answered: list[str]) -> str:
    return re.sub(r":\d*$", "", decoded(sent[1]).lower()) if len(sent) > 1 else ABSENT


def _server(line: RequestLine, *_: object) -> str:
    server = line.text("server").removesuffix(":-")
    return server if not server.startswith(("-", "<")) else ABSENT


def _is_tls(line: RequestLine) -> bool:
    return line.text("frontend").startswith("https")


@lru_cache(maxsize=2)
def _local(second: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(second))


@lru_cache(maxsize=2)
def _iso8601(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone().isoformat(timespec="seconds")


VALUES: Mapping[str, Value] = {
    "remote_addr": _field("client"),
    "the_real_ip": _field("client"),
    "realip_remote_addr": _field("client"),
    "proxy_protocol_addr": _field("client"),
    "remote_port": _field("client_port"),
    "remote_user": _own(3),
    "time_local": lambda *_: _local(int(time.time())),
    "time_iso8601": lambda *_: _iso8601(int(time.time())),
    "msec": lambda *_: f"{time.time():.3f}",
    "request": _request,
    "request_method": _field("method"),
    "request_uri": _own(0),
    "uri": _path,
    "args": _query,
    "query_string": _query,
    "server_protocol": _field("protocol"),
    "scheme": lambda line, *_: "https" if _is_tls(line) else "http",
    "https": lambda line, *_: "on" if _is_tls(line) else "",
    "server_port": lambda line, *_: "443" if _is_tls(line) else "80",
    "host": _host,
    "server_name": lambda _line, labels, *_: labels.host or "_",
    "status": _field("status"),
    "body_bytes_sent": _field("sent"),
    "bytes_sent": _field("sent"),
    "request_length": _field("received"),
    "request_time": lambda line, *_: _seconds(line.milliseconds("active")),
    "req_id": _own(2),
    "request_id": _own(2),
    "ssl_protocol": lambda line, *_: line.text("tls_version") if _is_tls(line) else ABSENT,
    "ssl_cipher": lambda line, *_: line.text("tls_cipher") if _is_tls(line) else ABSENT,
    "upstream_addr": _server,
    "upstream_status": _if_answered(lambda line: line.text("status")),
    "upstream_response_length": _if_answered(lambda line: line.text("sent")),
    "upstream_bytes_received": _if_answered(lambda line: line.text("sent")),
    "upstream_connect_time": _upstream(0),
    "upstream_header_time": _upstream(1),
    "upstream_response_time": _upstream(2),
    "namespace": lambda _line, labels, *_: labels.namespace,
    "ingress_name": lambda _line, labels, *_: labels.ingress,
    "service_name": lambda _line, labels, *_: labels.service,
    "service_port": lambda _line, labels, *_: labels.port,
    "location_path": lambda _line, labels, *_: labels.path,
    "proxy_upstream_name": lambda _line, labels, *_: labels.upstream or "upstream-default-backend",
    "proxy_alternative_upstream_name": lambda _line, labels, *_: labels.canary,
    "opentelemetry_trace_id": _field("trace"),
    "opentelemetry_span_id": _field("span"),
}
"""What is known of nginx's variables, beside `$http_NAME` and `$sent_http_NAME`."""


def is_known(variable: str) -> bool:
    """Whether the access log can say it."""
    return variable in VALUES or variable.startswith(("http_", "sent_http_", "upstream_http_"))


class AccessLog:
    """Writes lines as the settings want them."""

    def __init__(self, options: ProxyOptions) -> None:
        self.mark = request_log.mark(options)
        self._texts = options.log_format_upstream[::2]
        self._values = tuple(_value(name, options) for name in options.log_format_upstream[1::2])
        self._escaped = _plain if options.log_format_escape_none else _escaped
        if options.log_format_escape_json and not options.log_format_escape_none:
            self._escaped = _json

    def write(self, line: RequestLine, labels: RequestLabels) -> str:
        """The line, with its end."""
        sent, answered = line.captured()
        escaped = self._escaped
        pieces = [self._texts[0]]
        for value, text in zip(self._values, self._texts[1:], strict=True):
            pieces += (escaped(value(line, labels, sent, answered)), text)
        pieces.append("\n")
        return "".join(pieces)


def _value(variable: str, options: ProxyOptions) -> Value:
    if variable in VALUES:
        return VALUES[variable]
    name = variable.partition("http_")[2].replace("_", "-")
    if variable.startswith("http_"):
        return _own(len(request_log.OWN_CAPTURES) + request_log.request_headers(options).index(name))
    if not is_known(variable):
        return lambda *_: ABSENT
    number = request_log.response_headers(options).index(name)
    return lambda _line, _labels, _sent, answered: decoded(answered[number]) if number < len(answered) else ABSENT


def _escaped(value: str) -> str:
    if not value:
        return ABSENT
    if not _UNSAFE.search(value):
        return value
    return _UNSAFE.sub(lambda found: "".join(f"\\x{byte:02X}" for byte in found[0].encode("utf-8", "surrogateescape")), value)


def _json(value: str) -> str:
    if not value or value == ABSENT:
        return ""
    if not _UNSAFE.search(value):
        return value
    return json.dumps(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), ensure_ascii=False)[1:-1]


def _plain(value: str) -> str:
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02X}", value)
