"""TCP services, and TLS that is passed through by the name that the client asks for.

Which ports are open is text, and costs a reload; where their connections go is in the map `streams`, and costs none.
"""

from collections.abc import Iterable, Iterator

import msgspec

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy.grammar import Directive, Section, address_and_port, directive, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.haproxy.pool import BackendClass
from remora.haproxy.process_rules import proxy_header_rules, proxy_header_words
from remora.haproxy.target import Target
from remora.model import BackendName

VARIABLE = "proc.ports"
"""Has the open ports."""

HTTPS_BACKEND = "to-https"
_TIME_FOR_HELLO = 5
"""Seconds that a client has to say in TLS which host it means."""


class Port(msgspec.Struct, frozen=True, order=True):
    """An open port of TCP services."""

    number: int
    accepts_proxy: bool = False

    @property
    def text(self) -> str:
        return f"{self.number}{'p' * self.accepts_proxy}"


def ports_text(ports: Iterable[Port]) -> str:
    """As they stand in VARIABLE."""
    return "-".join(port.text for port in ports)


def parse_ports(text: str) -> tuple[Port, ...]:
    """The reverse of `ports_text`."""
    return tuple(Port(int(one.removesuffix("p")), one.endswith("p")) for one in text.split("-") if one)


def stream_target(backend: BackendName) -> Target:
    """A backend as connections reach it that are passed on as they are."""
    return Target(backend, BackendClass(stream=True))


def port_key(number: int) -> str:
    """The key of a port in the map `streams`."""
    return f"port/{number}"


def name_key(host: str) -> str:
    """The key of a host whose TLS is passed through."""
    return f"name/{host}"


def class_lines(settings: ProxySettings) -> Iterator[Directive]:
    """What frontends and backends of connections have in common; neither inherits from what is for HTTP."""
    options = settings.options
    yield rule("mode tcp")
    yield rule(f"timeout connect {settings.connect_timeout}s")
    yield rule(f"timeout client {options.proxy_stream_timeout}s")
    yield rule(f"timeout server {options.proxy_stream_timeout}s")
    yield rule("balance roundrobin")
    yield rule(f"retries {_retries(options)}")
    yield rule("option redispatch 1" if options.proxy_stream_next_upstream else "no option redispatch")


def _retries(options: ProxyOptions) -> int:
    """Tries after the first; for ingress-nginx 0 tries are any number of them."""
    if not options.proxy_stream_next_upstream:
        return 0
    return min(options.proxy_stream_next_upstream_tries or 10, 10) - 1


def port_sections(ports: Iterable[Port], settings: ProxySettings, layout: Layout) -> Iterator[Section]:
    """The open ports. They stand beside the backends and not in the program, which does not know the cluster."""
    open_ports = tuple(ports)
    if not open_ports:
        return
    yield section("global", lines=[rule(f"set-var {VARIABLE}", f"str({ports_text(open_ports)})")])
    for port in open_ports:
        lines = [
            *_binds(settings, port.number, *["accept-proxy"] * port.accepts_proxy),
            rule("use_backend", f"%[str({port_key(port.number)}),map_str({layout.map(Map.STREAMS)})]"),
        ]
        yield section("frontend", f"tcp-{port.number}", "from", BackendClass(stream=True).name, lines=lines)


def passthrough_sections(settings: ProxySettings, layout: Layout) -> Iterator[Section]:
    """What stands before the frontend of HTTPS with `--enable-ssl-passthrough`, which then listens on a socket."""
    if not settings.ssl_passthrough:
        return
    name = BackendClass(stream=True).name
    find = f"str({name_key('')}),concat(,sess.name),map_str({layout.map(Map.STREAMS)})"
    lines = [
        *_binds(settings, settings.https_port, *proxy_header_words(settings.options)),
        *proxy_header_rules(settings.options),
        rule(f"timeout client {settings.tunnel_timeout}s"),
        rule(f"tcp-request inspect-delay {_TIME_FOR_HELLO}s"),
        rule("tcp-request content set-var(sess.name)", "req.ssl_sni,lower,rtrim(.)", when="{ req.ssl_hello_type 1 }"),
        rule("tcp-request content set-var(sess.slot)", find, when="{ var(sess.name) -m found }"),
        rule("tcp-request content accept", when="{ req.ssl_hello_type 1 }"),
        # What is no TLS is answered by the frontend of HTTPS at once.
        rule("tcp-request content accept", when="{ req.payload(0,1) -m found } !{ req.payload(0,1) -m bin 16 }"),
        rule("use_backend", "%[var(sess.slot)]", when="{ var(sess.slot) -m found }"),
        rule("default_backend", HTTPS_BACKEND),
    ]
    yield section("frontend", "passthrough", "from", name, lines=lines)
    server = directive("server", "https", f"unix@{layout.https_socket}", "send-proxy-v2")
    yield section("backend", HTTPS_BACKEND, "from", name, lines=[rule(f"timeout server {settings.tunnel_timeout}s"), server])


def _binds(settings: ProxySettings, port: int, *words: str) -> Iterator[Directive]:
    for address in settings.bind_addresses:
        v6_only = ("v6only",) if address == "::" else ()
        yield directive("bind", address_and_port(address, port), *v6_only, *words)
