"""What is done to all answers: the promise to come back over https, headers that clients do not get, compression."""

from collections.abc import Iterator

from remora.core.options import ProxyOptions
from remora.haproxy.features import both_ways
from remora.haproxy.grammar import Directive, directive, rule

_TYPES_PER_LINE = 50
"""HAProxy takes 64 words in a line."""


def response_rules(options: ProxyOptions, *, scheme: str) -> Iterator[Directive]:
    """Of a frontend, before any rule that ends the others."""
    hidden = dict.fromkeys(name.lower() for name in options.hide_headers)
    if not options.keeps_server_header:
        hidden["server"] = None
    for name in hidden:
        yield directive("http-response", "del-header", name)
    if options.hsts and scheme == "https":
        yield rule("http-after-response set-header Strict-Transport-Security", strict_transport_security(options))


def strict_transport_security(options: ProxyOptions) -> str:
    """The value of the header (RFC 6797, section 6.1)."""
    subdomains = "; includeSubDomains" * options.hsts_include_subdomains
    return f"max-age={options.hsts_max_age}{subdomains}{'; preload' * options.hsts_preload}"


def request_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of a frontend that compresses, before any rule that ends the others."""
    if not options.compresses:
        return
    yield from both_ways.request_rules()
    if options.gzip_disable:  # some clients do not understand what they ask for
        yield directive("acl", "uncompressed", "req.fhdr(user-agent)", "-m", "reg", "-i", "--", options.gzip_disable)
        yield rule("http-request del-header accept-encoding", when="uncompressed")


def compression_rules(options: ProxyOptions) -> Iterator[Directive]:
    """Of a frontend; nothing where nothing is compressed."""
    if not options.compresses:
        return
    yield from both_ways.filter_rules()
    yield rule("filter compression")
    yield rule("compression algo gzip")
    if "*" in options.gzip_types:
        return
    types = ("text/html", *options.gzip_types)
    for start in range(0, len(types), _TYPES_PER_LINE):
        yield directive("compression", "type", *types[start : start + _TYPES_PER_LINE])
