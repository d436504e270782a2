"""HAProxy's program: everything in its configuration that does not depend on the cluster.

`FRONTEND_PHASES` is the one place that orders what happens to a request before it has a backend; a class's rules follow in
the order of `_class_section`. Nothing that comes from an Ingress is in here.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy import guards, process_rules
from remora.haproxy.features import (
    affinity,
    answers,
    body_size,
    broken_sessions,
    canary,
    client_address,
    client_tls,
    cors,
    counting,
    error_pages,
    external_auth,
    forwarded,
    global_headers,
    hashing,
    learning,
    limits,
    passwords,
    proxying,
    redirect,
    request_log,
    response_headers,
    retries,
    rewrite,
    session_cookie,
    session_lifetime,
    session_tracking,
    snippets,
    streams,
    tracing,
    upstream_headers,
)
from remora.haproxy.grammar import Directive, Section, render_sections, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.lua import Script, script_text
from remora.haproxy.maps import ANY_HOST_KEY, CANARY_MARK, DEFAULT_ROUTE_KEY, EXACT_END, HostKind, Map
from remora.haproxy.pool import CLASSES, STICKY, Algorithm, BackendClass

NOT_FOUND_BACKEND = "not-found"
UNAVAILABLE_BACKEND = "unavailable"
HEALTHZ_BACKEND = "healthz"

_UNROUTED = "!{ var(txn.record) -m found }"
_ODD_PATH = "{ path -m sub % // /. }"
"""Paths that are compared in another spelling than the client's."""

_LONGEST_REPEATED = 1000
"""Bytes of a path in which PCRE matches a repeated group with the usual limit on its depth."""


def render_program(settings: ProxySettings, header_names: tuple[str, ...] = ()) -> str:
    """The program as a file's text. `header_names` are those that routes may set on answers.

    It names its own digest in the variable `proc.program`, so that a controller that finds HAProxy running can tell whether it
    runs this very program.
    """
    return _rendered(settings, header_names)[0]


def program_digest(settings: ProxySettings, header_names: tuple[str, ...] = ()) -> str:
    """The digest that `render_program` writes: 16 hex digits."""
    return _rendered(settings, header_names)[1]


@lru_cache(maxsize=4)
def _rendered(settings: ProxySettings, header_names: tuple[str, ...]) -> tuple[str, str]:
    body = render_sections(_sections(settings, header_names))
    process = render_sections([_global_section(settings, digest="")])
    digest = _digest(process + body + "".join(map(script_text, Script)))
    return f"{render_sections([_global_section(settings, digest=digest)])}\n{body}", digest


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sections(settings: ProxySettings, header_names: tuple[str, ...]) -> Iterator[Section]:
    layout = Layout(settings.state_directory)
    policies = tuple(_policies(layout, header_names))
    yield _defaults_section(settings)
    yield section("backend", counting.TABLE, "from", "base", lines=[_counting_table()])
    yield section("backend", session_tracking.TABLE, "from", "base", lines=[session_tracking.table_rule(settings)])
    yield section("backend", client_tls.TABLE, "from", "base", lines=[client_tls.table_rule()])
    yield section("backend", learning.TABLE, "from", "base", lines=[learning.table_rule(settings)])
    for name, table in limits.table_rules():
        yield section("backend", name, "from", "base", lines=[table])
    yield section("backend", passwords.TABLE, "from", "base", lines=[passwords.table_rule()])
    if request_log.is_wanted(settings):
        yield request_log.ring_section(layout.requests_socket)
    for listener in _listeners(settings, layout):
        yield _frontend_section(listener, layout)
    for kind in CLASSES:
        yield _class_section(kind, settings, policies)
    yield from streams.passthrough_sections(settings, layout)
    yield from _fixed_backends()
    yield body_size.section_of("base", layout.map(Map.ERROR_PAGES))
    yield _bookkeeping_section(layout)
    yield from error_pages.sections(
        defaults="base",
        socket=layout.error_pages_socket,
        routes_map=layout.map(Map.ERROR_ROUTES),
        nowhere=NOT_FOUND_BACKEND,
        answers=tuple(answers.response_rules(settings.options, scheme="http")),
    )
    yield from external_auth.sections(
        defaults="base",
        socket=layout.external_auth_socket,
        routes_map=layout.map(Map.AUTH_ROUTES),
        nowhere=NOT_FOUND_BACKEND,
    )
    yield from redirect.sections(
        defaults="base",
        redirects_map=layout.map(Map.REDIRECTS),
        ports=(settings.http_port, settings.https_port),
        policies=policies,
        options=settings.options,
    )


def _global_section(settings: ProxySettings, *, digest: str) -> Section:
    layout = Layout(settings.state_directory)
    lines = [
        rule("stats socket", f"unix@{layout.runtime_socket}", "mode", "600", "level", "admin", "expose-fd", "listeners"),
        rule("stats timeout 10m"),
        rule(f"tune.stick-counters {passwords.COUNTER + 1}"),
        rule("set-var proc.program", f"str({digest})"),
        *session_lifetime.global_rules(settings),
        *passwords.global_rules(settings),
        rule("lua-load", layout.script(Script.FORMER_SESSIONS)),
        rule("lua-load", layout.script(Script.ERROR_PAGES), layout.error_pages_socket),
        rule("lua-load", layout.script(Script.EXTERNAL_AUTH), layout.external_auth_socket),
        rule("httpclient.retries 0"),  # each would be given the whole time that an error page may take
        rule("httpclient.ssl.verify none"),  # of mirrors alone, as in ingress-nginx
        rule("lua-load", layout.script(Script.SESSION_PLACEMENT), layout.map(Map.SERVERS)),
        rule("lua-load", layout.script(Script.SUBSET)),
        rule("lua-load-per-thread", layout.script(Script.TOO_LARGE)),
        rule("lua-load-per-thread", layout.script(Script.SNIPPETS)),
        rule("lua-load-per-thread", layout.script(Script.CLIENT_CHAIN)),
        rule("lua-load", layout.script(Script.MIRROR)),
        rule("lua-load-per-thread", layout.script(Script.POD_ANSWERS)),
        rule(
            "lua-load-per-thread", layout.script(Script.REWRITE)
        ),  # it keeps nothing that threads share, so none waits for another
        rule("expose-experimental-directives"),  # normalize-uri, which decides what a path is compared as
        *process_rules.global_rules(settings),
    ]
    return section("global", lines=lines)


def _defaults_section(settings: ProxySettings) -> Section:
    return section(
        "defaults",
        "base",
        lines=[
            rule("mode http"),
            *process_rules.timeout_rules(settings),
            # Without it a reload closes idle connections on which a request is under way (64 of 617,690 failed).
            rule("option idle-close-on-response"),
            *retries.default_rules(settings),
        ],
    )


def _counting_table() -> Directive:
    store = f"store gpc({counting.COUNTERS + broken_sessions.COUNTERS})"
    return rule(f"stick-table type string len 20 size 200k {store}")


class Listener(msgspec.Struct, frozen=True):
    """One of the two frontends. Each knows its scheme when it is written, so no request has to be asked for it.

    `port` is what `X-Forwarded-Port` says: 443 for HTTPS, whatever the listener's own number.
    """

    scheme: str
    port: int
    binds: tuple[Directive, ...]
    record_field: int
    """Which field of a RouteRecord names the backend."""
    options: ProxyOptions
    logging: tuple[Directive, ...] = ()
    """What stands before the rules so that the controller is told of requests, whatever becomes of them."""
    logging_ids: tuple[Directive, ...] = ()


def _listeners(settings: ProxySettings, layout: Layout) -> Iterator[Listener]:
    options = settings.options
    logs = {
        "logging": tuple(request_log.frontend_rules(settings)),
        "logging_ids": tuple(request_log.request_id_rules(settings)),
    }
    lines = {scheme: tuple(process_rules.listener_rules(settings, scheme=scheme)) for scheme in ("http", "https")}
    plain = tuple(process_rules.binds(settings, crt_list=""))
    yield Listener("http", settings.http_port, (*plain, *lines["http"]), record_field=2, options=options, **logs)
    tls = (*process_rules.binds(settings, crt_list=layout.crt_list), *client_tls.connection_rules(layout))
    yield Listener("https", 443, (*tls, *lines["https"]), record_field=1, options=options, **logs)


def _frontend_section(listener: Listener, layout: Layout) -> Section:
    lines = [*listener.binds, *listener.logging]
    for phase in FRONTEND_PHASES:
        lines += phase(listener, layout)
    return section("frontend", listener.scheme, "from", "base", lines=lines)


def _refuse(_listener: Listener, _layout: Layout) -> Iterator[Directive]:
    # A slash in Host would move the border between host and path in the look-up key, and with it past a route's guards.
    yield rule("http-request deny deny_status 400", when="{ req.hdr(host) -m sub / }")
    # HTTP/1.0 has no chunks (RFC 9112 section 6.1): a pod that goes by that takes the body for further requests.
    yield rule("http-request deny deny_status 400", when="{ req.ver 1.0 } { req.hdr(transfer-encoding) -m found }")


def _find_client(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from client_address.request_rules(listener.options)


def _forward(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from client_tls.cleaning_rules(listener.options)
    yield from forwarded.request_rules(listener.options, scheme=listener.scheme, port=listener.port)
    yield from listener.logging_ids


def _change_answers(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from answers.compression_rules(listener.options)
    yield from answers.response_rules(listener.options, scheme=listener.scheme)
    yield from global_headers.response_rules(listener.options.add_headers)


def _count_responses(_listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from counting.response_rules()


def _find_route_at_once(listener: Listener, layout: Layout) -> Iterator[Directive]:
    """The one look-up of most requests: the host is written in lower case and without a port, the path needs no decoding.

    `base` is Host and path in one text. `allow` ends the rules, so all that follows costs such requests nothing.
    """
    find = f"base,concat({EXACT_END}),map_beg({layout.map(Map.ROUTES)})"
    yield rule("http-request set-var(txn.record)", find, when=f"!{_ODD_PATH}")
    yield from _end_without_canary(listener, layout)


def _end_without_canary(listener: Listener, layout: Layout) -> Iterator[Directive]:
    """Ends the rules for a request that has its route, unless that has a canary, which is counted for itself."""
    yield rule("http-request set-var(txn.route)", "var(txn.record),field(3,|)")
    yield from body_size.request_rules(layout.map(Map.BODY_LIMITS), listener.options.proxy_body_size)
    yield from counting.request_rules(when=f"!{{ var(txn.record) -m end {CANARY_MARK} }}")
    yield rule("http-request allow", when="{ sc0_tracked }")


def _normalise(_listener: Listener, _layout: Layout) -> Iterator[Directive]:
    """Routes are looked up by the decoded path with slashes merged and dots resolved, as nginx does; what is forwarded stays
    as the client wrote it."""
    yield rule("http-request set-var(txn.host)", "req.hdr(host),host_only,lower,rtrim(.)")
    yield rule("http-request set-var(txn.odd) bool(true)", when=_ODD_PATH)
    odd = "{ var(txn.odd) -m bool }"
    yield rule("http-request set-var(txn.pathq)", "pathq", when=odd)
    yield rule("http-request set-var(txn.decoded)", "path,url_dec", when=odd)
    # A broken %-sequence has no decoded path; any guess would lead past the guards of the route that is meant.
    yield rule("http-request deny deny_status 400", when=odd + " !{ var(txn.decoded) -m found }")
    # What a decoded control character would do in a log, a map or a header is nobody's wish; nginx refuses only NUL.
    yield rule("http-request deny deny_status 400", when=odd + r" { var(txn.decoded) -m reg [\x00-\x1f\x7f] }")
    # As `maps.encode_path` writes keys: a decoded "?" must not begin a query, which hides what follows from the next steps.
    encoded = 'var(txn.decoded),regsub("%","%25",g),regsub([?],"%3F",g),regsub(" ","%20",g)'
    yield rule("http-request set-path", f"%[{encoded}]", when=odd)
    for step in ("path-merge-slashes", "path-strip-dot"):
        yield rule(f"http-request normalize-uri {step}", when=odd)
    yield rule("http-request normalize-uri path-strip-dotdot full", when=odd)
    yield rule("http-request set-var(txn.path)", "path")
    yield rule("http-request set-var(txn.decoded)", "var(txn.path),url_dec")
    yield rule("http-request set-pathq", "%[var(txn.pathq)]", when=odd)


def _find_route_by_host(listener: Listener, layout: Layout) -> Iterator[Directive]:
    """The host decides which map knows its paths: the host itself, else its wildcard, else the entry for any host.

    An exact host does not fall back to a wildcard host when none of its paths fits (as in ingress-nginx).
    """
    yield rule("http-request set-var(txn.virtual_host)", "var(txn.host)")
    find_kind = rule("http-request set-var(txn.kind)", f"var(txn.virtual_host),map_str({layout.map(Map.HOSTS)})")
    yield find_kind
    for wider in ('var(txn.host),regsub("^[^.]+","*")', f"str({ANY_HOST_KEY})"):
        yield rule("http-request set-var(txn.virtual_host)", wider, when="!{ var(txn.kind) -m found }")
        yield find_kind
    too_long = f"{{ var(txn.kind) -m str {HostKind.REPEATING.value} }} {{ var(txn.decoded) -m len gt {_LONGEST_REPEATED} }}"
    yield rule("http-request deny deny_status 400", when=too_long)
    record = "http-request set-var(txn.record)"
    by_regex = f"concat(,txn.decoded),map_reg({layout.map(Map.REGEX_ROUTES)})"
    looked_up = {
        HostKind.PLAIN: f"concat(,txn.path,{EXACT_END}),map_beg({layout.map(Map.ROUTES)})",
        HostKind.FOLDED: f"concat(,txn.path,/),lower,map_beg({layout.map(Map.FOLDED_ROUTES)})",
        HostKind.REGEX: by_regex,
        HostKind.REPEATING: by_regex,
    }
    for kind, find in looked_up.items():
        yield rule(record, f"var(txn.virtual_host),{find}", when=f"{{ var(txn.kind) -m str {kind.value} }}")
    yield rule(record, f"str({DEFAULT_ROUTE_KEY}),map_beg({layout.map(Map.ROUTES)})", when=_UNROUTED)
    yield rule(record, f"str({NOT_FOUND_BACKEND}|{NOT_FOUND_BACKEND}|{counting.UNROUTED}|)", when=_UNROUTED)
    yield from _end_without_canary(listener, layout)


def _choose_canary(_listener: Listener, layout: Layout) -> Iterator[Directive]:
    maps = {
        "canaries_map": Map.CANARIES,
        "records_map": Map.CANARY_ROUTES,
        "patterns_map": Map.CANARY_PATTERNS,
        "servers_map": Map.SERVERS,
    }
    yield from canary.request_rules(**{parameter: layout.map(name) for parameter, name in maps.items()})
    yield rule("http-request set-var(txn.route)", "var(txn.record),field(3,|)")
    yield from counting.request_rules()


def _hand_over(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    over_tls, over_http = (f"%[var(txn.record),field({number},|)]" for number in (1, 2))
    if listener.options.scheme_is_told:
        yield rule("use_backend", over_http, when=forwarded.is_scheme(listener.options, "http"))
        yield rule("use_backend", over_tls)
    else:
        yield rule("use_backend", f"%[var(txn.record),field({listener.record_field},|)]")


FRONTEND_PHASES: tuple[Callable[[Listener, Layout], Iterable[Directive]], ...] = (
    _find_client,
    _refuse,
    _forward,  # before the first `allow`; whatever a backend answers itself, these headers go nowhere
    _find_route_at_once,
    _normalise,  # what follows is for the few: other spellings of host and path, wildcard hosts, regular expressions, 404
    _find_route_by_host,
    _choose_canary,  # only requests whose route has one come here
    _change_answers,  # before what ends the rules for answers
    _count_responses,
    _hand_over,
)


def _policies(layout: Layout, header_names: tuple[str, ...]) -> Iterator[Directive]:
    """What is done for a route with policies, whatever its backend; the answers' rules come before all that end them."""
    yield from snippets.request_rules(layout.map(Map.SNIPPETS))
    yield from snippets.common_rules(layout.map(Map.SNIPPET_HEADERS))
    yield from cors.request_rules(layout.map(Map.CORS), layout.map(Map.CORS_ORIGINS))
    yield from cors.response_rules()
    yield from response_headers.rules(header_names, layout.map(Map.RESPONSE_HEADERS))


def _class_section(kind: BackendClass, settings: ProxySettings, policies: tuple[Directive, ...]) -> Section:
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
    if kind.rich:
        lines += policies
        lines += error_pages.request_rules(layout.map(Map.ERROR_PAGES))
        if kind.guarded:
            lines += guards.request_rules(layout, options)
            lines += guards.response_rules()
        if kind.sessions:
            lines += learning.request_rules(layout.map(Map.LEARNING), layout.map(Map.SERVERS))
            lines += learning.response_rules(settings.learned_table_expire)
        lines += proxying.request_rules(options, layout.map(Map.PROXYING))
        lines += rewrite.request_rules(layout.map(Map.REWRITES))
        lines += upstream_headers.request_rules(layout.map(Map.UPSTREAM_HEADERS))
        lines += tracing.request_rules(options, layout.map(Map.TRACING))
        lines += snippets.header_rules()
    maps = {"cookies_map": layout.map(Map.COOKIES), "servers_map": layout.map(Map.SERVERS)}
    if kind.sessions and kind.algorithm in STICKY:
        lines += session_cookie.request_rules(kind, **maps, placements_map=layout.map(Map.PLACEMENTS))
        lines += session_cookie.response_rules(kind, servers_map=maps["servers_map"])
    else:
        lines += affinity.request_rules(kind, maps["servers_map"])
        lines += affinity.response_rules(kind.algorithm, **maps)
    if kind.rich:
        lines += proxying.response_rules()
        lines += snippets.response_rules()
        lines += error_pages.response_rules(layout.map(Map.ERROR_PAGES))
    else:
        lines += retries.request_rules(options)
    return section("defaults", kind.name, "from", "base", lines=lines)


def _balancing(algorithm: Algorithm) -> Iterator[Directive]:
    match algorithm:
        case Algorithm.SPREAD | Algorithm.PERSISTENT:
            yield rule("balance roundrobin")
        case Algorithm.BALANCED | Algorithm.HASHED:
            yield rule("balance hash", "var(txn.key)")
            yield rule("hash-type consistent")
        case Algorithm.LEAST:
            yield rule("balance leastconn")


def _fixed_backends() -> Iterator[Section]:
    text = ("content-type", "text/plain; charset=utf-8", "string")
    answers = {
        NOT_FOUND_BACKEND: rule("http-request return status 404 content-type text/html string", error_pages.NOT_FOUND_PAGE),
        UNAVAILABLE_BACKEND: rule("http-request return status 503", *text, "503 Service Unavailable"),
        HEALTHZ_BACKEND: rule("http-request return status 200"),
    }
    for name, answer in answers.items():
        yield section("backend", name, "from", "base", lines=[answer])


def _bookkeeping_section(layout: Layout) -> Section:
    """A backend that no request reaches: HAProxy only holds the maps that some rule names."""
    lines = [
        rule("http-request set-var(txn.never)", f"var(txn.route),map_str({layout.map(name)})")
        for name in (Map.SLOTS, Map.STREAMS, Map.CERTIFICATES, Map.UPSTREAM_FILES, Map.RESPONSE_HEADERS)
    ]
    return section("backend", "bookkeeping", "from", "base", lines=lines)
