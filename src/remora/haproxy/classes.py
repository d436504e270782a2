"""The rules of each class of backends, which stand in its `defaults`.

What happens to a request follows in the order of `class_section`.
"""

from collections.abc import Iterator

from remora.core.settings import ProxySettings
from remora.haproxy import guards
from remora.haproxy.features import (
    affinity,
    client_tls,
    cors,
    error_pages,
    forwarded,
    global_headers,
    hashing,
    learning,
    proxying,
    response_headers,
    retries,
    rewrite,
    session_cookie,
    snippets,
    streams,
    tracing,
    upstream_headers,
)
from remora.haproxy.grammar import Directive, Section, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.haproxy.pool import STICKY, Algorithm, BackendClass


def policy_rules(layout: Layout, header_names: tuple[str, ...]) -> Iterator[Directive]:
    """What is done for a route with policies, whatever its backend; the answers' rules come before all that end them."""
    # A preflight asks for no more than it is told, and what a snippet answers has the headers too.
    yield from cors.request_rules(layout.map(Map.CORS), layout.map(Map.CORS_ORIGINS))
    yield from snippets.request_rules(layout.map(Map.SNIPPETS))
    yield from snippets.common_rules(layout.map(Map.SNIPPET_HEADERS))
    yield from _answers_rules(layout, header_names)


def shaping_rules(layout: Layout, header_names: tuple[str, ...]) -> Iterator[Directive]:
    """Those of them that shaped classes have as well."""
    yield from cors.request_rules(layout.map(Map.CORS), layout.map(Map.CORS_ORIGINS))
    yield from _answers_rules(layout, header_names)


def _answers_rules(layout: Layout, header_names: tuple[str, ...]) -> Iterator[Directive]:
    yield from cors.response_rules()
    yield from response_headers.rules(header_names, layout.map(Map.RESPONSE_HEADERS))


def class_section(
    kind: BackendClass, settings: ProxySettings, policies: tuple[Directive, ...], shaping: tuple[Directive, ...]
) -> Section:
    """The section of one class. `policies` are `policy_rules` and `shaping` the `shaping_rules`, made once for all."""
    if kind.stream:
        return section("defaults", kind.name, lines=streams.class_lines(settings))
    layout, options = Layout(settings.state_directory), settings.options
    lines = list(_balancing(kind.algorithm))
    if not options.upstream_keepalive_connections:
        lines.append(rule("option httpclose"))
    if kind.algorithm is Algorithm.HASHED:  # by what the client sent, before anything is rewritten
        lines += hashing.request_rules(layout.map(Map.HASHES))
    lines += forwarded.host_rules(options)
    lines += global_headers.request_rules(options.proxy_set_headers)
    if kind.guarded:
        lines += client_tls.request_rules(layout)
    lines += _policies(kind, settings, layout, policies, shaping)
    maps = {"cookies_map": layout.map(Map.COOKIES), "servers_map": layout.map(Map.SERVERS)}
    if kind.sessions and kind.algorithm in STICKY:
        lines += session_cookie.request_rules(kind, **maps, placements_map=layout.map(Map.PLACEMENTS))
        lines += session_cookie.response_rules(kind, servers_map=maps["servers_map"])
    else:
        lines += affinity.request_rules(kind, **maps)
        lines += affinity.response_rules(kind.algorithm, **maps)
    if kind.rich and not kind.shaped:
        lines += proxying.response_rules()
        lines += snippets.response_rules()
        lines += error_pages.response_rules(layout.map(Map.ERROR_PAGES))
    return section("defaults", kind.name, "from", "base", lines=lines)


def _policies(
    kind: BackendClass, settings: ProxySettings, layout: Layout, policies: tuple[Directive, ...], shaping: tuple[Directive, ...]
) -> Iterator[Directive]:
    options = settings.options
    if kind.shaped or not kind.rich:
        yield from retries.request_rules(options)
    if kind.shaped:
        yield from shaping
        yield from rewrite.request_rules(layout.map(Map.REWRITES))
        yield from upstream_headers.request_rules(layout.map(Map.UPSTREAM_HEADERS))
    elif kind.rich:
        yield from policies
        yield from error_pages.request_rules(layout.map(Map.ERROR_PAGES))
        if kind.guarded:
            yield from guards.request_rules(layout, options)
            yield from guards.response_rules()
        if kind.sessions:
            yield from learning.request_rules(layout.map(Map.LEARNING), layout.map(Map.SERVERS))
            yield from learning.response_rules(settings.learned_table_expire)
        yield from proxying.request_rules(options, layout.map(Map.PROXYING))
        yield from rewrite.request_rules(layout.map(Map.REWRITES))
        yield from upstream_headers.request_rules(layout.map(Map.UPSTREAM_HEADERS))
        yield from tracing.request_rules(options, layout.map(Map.TRACING))
        yield from snippets.header_rules()


def _balancing(algorithm: Algorithm) -> Iterator[Directive]:
    match algorithm:
        case Algorithm.SPREAD | Algorithm.PERSISTENT:
            yield rule("balance roundrobin")
        case Algorithm.BALANCED | Algorithm.HASHED:
            yield rule("balance hash", "var(txn.key)")
            yield rule("hash-type consistent")
        case Algorithm.LEAST:
            yield rule("balance leastconn")
