"""What HAProxy tells the controller of every request, if somebody wants to know: one line, for metrics, access logs and spans.

Lines go into a ring in HAProxy's memory, and from there through a Unix socket to the controller. While nobody reads, what
does not fit is lost: no request ever waits for its line. How a line of the access log looks is the controller's business;
only the names of headers in it are in here.
"""

import zlib
from collections.abc import Iterable, Iterator

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.grammar import Directive, Section, directive, rule, section

RING = "requests"
_RING_BYTES = 4 << 20
_LONGEST_LINE = 8192
_LONGEST_URI = 2048
_LONGEST_HEADER = 512

FIELDS = {
    "route": "%[var(txn.route)]",
    "method": "%HM",
    "status": "%ST",
    "active": "%Ta",
    "reading": "%TR",
    "waiting": "%Tw",
    "connecting": "%Tc",
    "header": "%Tr",
    "data": "%Td",
    "received": "%U",
    "sent": "%B",
    "server": "%si:%sp",
    "client": "%[src]",
    "client_port": "%cp",
    "protocol": "%[capture.req.ver]",
    "frontend": "%f",
    "tls_version": "%sslv",
    "tls_cipher": "%sslc",
    "trace": "%[var(txn.trace)]",
    "span": "%[var(txn.span)]",
    "parent": "%[var(txn.parent)]",
    "sampled": "%[var(txn.sampled)]",
    "tries": "%rc",
    "quiet": "%[var(txn.quiet)]",
}
"""What a line consists of, between blanks, behind the mark of its captures; none of these holds a blank. Times are in
milliseconds, -1 for what did not happen. Then come the captures in braces, those of the request and those of the answer, in
which HAProxy writes `"`, `#`, `{`, `|`, `}` and all that is not printable ASCII as `#` and two hex digits."""

OWN_CAPTURES = ("uri", "host", "request id", "user")
"""What is captured of every request, before the headers that the format of the access log names."""

_HEADER = "http_"
_ANSWERED = ("sent_http_", "upstream_http_")


def is_wanted(settings: ProxySettings) -> bool:
    """Whether anybody reads lines."""
    options = settings.options
    return settings.measures_requests or options.has_access_log or bool(options.otlp_collector_host)


def request_headers(options: ProxyOptions) -> tuple[str, ...]:
    """The request headers that the access log's format names."""
    return _named(options, (_HEADER,))


def response_headers(options: ProxyOptions) -> tuple[str, ...]:
    """The same for answers."""
    return _named(options, _ANSWERED)


def _named(options: ProxyOptions, prefixes: Iterable[str]) -> tuple[str, ...]:
    if not options.has_access_log:
        return ()
    found: dict[str, None] = {}
    for variable in options.log_format_upstream[1::2]:
        for prefix in prefixes:
            if variable.startswith(prefix):
                found[variable.removeprefix(prefix).replace("_", "-")] = None
    return tuple(found)


def mark(options: ProxyOptions) -> str:
    """Tells lines with other captures apart, which a worker of before a reload goes on writing."""
    return f"{zlib.crc32(repr((request_headers(options), response_headers(options))).encode()):08x}"


def ring_section(socket: str) -> Section:
    """The ring that the controller empties."""
    lines = (
        rule("format raw"),
        rule(f"maxlen {_LONGEST_LINE}"),
        rule(f"size {_RING_BYTES}"),
        rule("timeout connect 1s"),
        rule("timeout server 10s"),
        directive("server", "controller", f"unix@{socket}"),
    )
    return section("ring", RING, lines=lines)


def frontend_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of a frontend, before anything can refuse a request or change its headers."""
    if not is_wanted(settings):
        return
    options = settings.options
    yield rule(f"log ring@{RING} len {_LONGEST_LINE} format raw local0 info")
    # All that is captured of requests stands in one list, numbered as it stands here.
    yield rule(f"declare capture request len {_LONGEST_URI}")
    for _ in (*OWN_CAPTURES[1:], *request_headers(options)):
        yield rule(f"declare capture request len {_LONGEST_HEADER}")
    for name in response_headers(options):
        yield directive("capture", "response", "header", name, "len", _LONGEST_HEADER)
    yield directive("log-format", _line(options))
    yield rule("http-request capture url id 0")
    yield rule("http-request capture req.hdr(host) id 1")
    for number, name in enumerate(request_headers(options), start=len(OWN_CAPTURES)):
        yield directive("http-request", "capture", f"req.fhdr({name})", "id", number)
    if options.has_access_log:
        yield rule("http-request capture http_auth_user id 3", when="{ req.hdr(authorization) -m beg -i basic }")
        for wanted in options.skip_access_log_urls:
            yield directive("acl", "unlogged", "url", *_match(wanted))
        if options.skip_access_log_urls:
            yield rule("http-request set-var(txn.quiet) str(1)", when="unlogged")


def _match(wanted: str) -> tuple[str, ...]:
    if wanted.startswith("~*"):
        return "-m", "reg", "-i", "--", wanted[2:]
    return ("-m", "reg", "--", wanted[1:]) if wanted.startswith("~") else ("-m", "str", "--", wanted)


def request_id_rules(settings: ProxySettings) -> Iterator[Directive]:
    """Of a frontend, once every request has an id."""
    if is_wanted(settings):
        yield rule("http-request capture req.hdr(x-request-id) id 2")


def _line(options: ProxyOptions) -> str:
    answers = " %hs" if response_headers(options) else ""
    return " ".join((mark(options), *FIELDS.values(), "%hr")) + answers
