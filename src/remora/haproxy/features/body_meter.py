"""Bodies whose length nobody said (chunked, or HTTP/2 without Content-Length), counted while they are passed on.

HAProxy counts nothing of a body by itself; a filter in Lua does, for some 10 µs on every stream of the proxy that has it. So
only requests that need it go to a frontend that has it, through a Unix socket, once their route's limit is known. It finds
their route anew; what the first frontend said in headers about the client stays. The pod is never sent more than the limit,
and never the end of a body that is larger.

What a client's certificate is worth can only be asked where the connection ends, so requests for hosts that ask for one stay
where they are.
"""

from collections.abc import Iterator

from remora.haproxy.features import body_size
from remora.haproxy.grammar import Directive, Section, directive, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map, fixed_record

_STATUS = 413
_LIMIT = "txn.body_limit"
_UNSAID = "txn.unsaid"
_LONGEST = "24d"
"""The frontend behind the socket knows how long anybody may be silent."""


def name_of(scheme: str) -> str:
    """The frontend's and its backend's name; access logs and spans take the scheme from its beginning."""
    return f"{scheme}-metered"


def request_rules(layout: Layout, default: int, *, scheme: str) -> Iterator[Directive]:
    """The frontends' rules, after those for bodies with a length. Other requests pay for three short tests."""
    limit = f"var(txn.route),map_str_int({layout.map(Map.BODY_LIMITS)},{default})"
    # A chunked request may ask for an upgrade as well; in HTTP/2 only a WebSocket has the header.
    is_tunnel = "{ req.hdr(upgrade) -m found } !{ req.hdr(transfer-encoding) -m found }"
    yield rule(
        f"http-request set-var({_UNSAID})", limit, when="!{ internal.htx.has_eom } !{ req.hdr(content-length) -m found }"
    )
    is_unsaid = f"{{ var({_UNSAID}) -m int gt 0 }}"
    yield rule(f"http-request unset-var({_UNSAID})", when=f"{is_unsaid} {is_tunnel}")
    asks = f"{{ var(txn.route),map_str({layout.map(Map.CLIENT_TLS)}) -m found }}"
    name = name_of(scheme)
    stays = f"!{{ var(txn.record) -m str {fixed_record(body_size.BACKEND)} }} !{asks}"
    yield rule("http-request set-var(txn.record)", f"str({fixed_record(name)})", when=f"{is_unsaid} {stays}")
    yield rule("http-request allow", when=f"{is_unsaid} {{ var(txn.record) -m str {fixed_record(name)} }}")


def backend_section(layout: Layout, *, scheme: str) -> Section:
    """The backend that leads to the frontend. It is spoken to as the client speaks, so that it sees what the client is."""
    socket, is_tls = layout.metered_socket(scheme), scheme == "https"
    tls = {version: ("ssl", "verify", "none", "sni", "ssl_fc_sni", "alpn", version) for version in ("http/1.1", "h2")}
    lines = [
        rule("http-request set-log-level silent"),
        rule(f"timeout server {_LONGEST}"),
        rule("retry-on conn-failure"),
        rule("use-server http2", when="{ req.ver 2.0 }"),
        rule("use-server http1", when="!{ req.ver 2.0 }"),
        directive("server", "http1", f"unix@{socket}", "send-proxy-v2", *tls["http/1.1"] * is_tls),
        directive("server", "http2", f"unix@{socket}", "send-proxy-v2", *(tls["h2"] if is_tls else ("proto", "h2"))),
    ]
    return section("backend", name_of(scheme), "from", "base", lines=lines)


def binds(layout: Layout, *, scheme: str) -> Iterator[Directive]:
    """What the frontend listens on. Nobody verifies the certificate; the name that the client asked for is passed on."""
    words: tuple[str, ...] = ()
    if scheme == "https":
        words = ("ssl", "crt", layout.certificate("default"), "alpn", "h2,http/1.1")
    yield directive("bind", f"unix@{layout.metered_socket(scheme)}", "mode", "600", "accept-proxy", *words)


def metering_rules(layout: Layout, default: int) -> Iterator[Directive]:
    """Of the frontend that counts, once the route is known."""
    limit = f"var(txn.route),map_str_int({layout.map(Map.BODY_LIMITS)},{default})"
    yield rule(f"http-request set-var({_LIMIT})", limit)


def frontend_rules() -> Iterator[Directive]:
    """Of the same, before all else."""
    yield rule("filter lua.body_meter")
    # HAProxy takes a filter's end for the client's fault.
    yield rule("http-error status 400 content-type text/html string", body_size.PAGE)
    yield rule(f"http-after-response set-status {_STATUS}", when="{ var(txn.body_is_larger) -m found }")
