"""The frontends: what happens to a request before it has a backend.

There are two, and behind them two that count bodies of unknown length (`features.body_meter`). `FRONTEND_PHASES` is the one
place that orders it, and `METERED_PHASES` for those.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from remora.core.options import ProxyOptions
from remora.core.settings import ProxySettings
from remora.haproxy import process_rules
from remora.haproxy.features import (
    answers,
    body_meter,
    body_size,
    canary,
    client_address,
    client_tls,
    counting,
    forwarded,
    global_headers,
    rare_headers,
    request_log,
)
from remora.haproxy.features.rare_headers import RARE
from remora.haproxy.fixed_backends import NOT_FOUND_BACKEND
from remora.haproxy.grammar import Directive, Section, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import (
    ANY_HOST_KEY,
    CANARY_MARK,
    DEFAULT_ROUTE_KEY,
    EXACT_END,
    RECORD_OVER_HTTP,
    RECORD_OVER_TLS,
    RECORD_ROUTE,
    HostKind,
    Map,
    fixed_record,
)

_UNROUTED = "!{ var(txn.record) -m found }"
_ROUTE = f"var(txn.record),field({RECORD_ROUTE},|)"
_ODD_PATH = "{ path -m sub % // /. }"
"""Paths that are compared in another spelling than the client's."""

REFUSED_METHODS = ("CONNECT", "TRACE")
"""Answered with 405 whatever they ask for."""

_LONGEST_REPEATED = 1000
"""Bytes of a path in which PCRE matches a repeated group with the usual limit on its depth."""


def frontend_sections(settings: ProxySettings, layout: Layout) -> Iterator[Section]:
    """For HTTP and for HTTPS, each followed by the one that counts."""
    for listener in _listeners(settings, layout):
        yield _frontend_section(listener.scheme, listener, layout, FRONTEND_PHASES)
        lines = tuple(body_meter.binds(layout, scheme=listener.scheme))
        metered = msgspec.structs.replace(listener, binds=lines, is_metered=True)
        yield _frontend_section(body_meter.name_of(listener.scheme), metered, layout, METERED_PHASES)


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
    is_metered: bool = False
    """Whether it is the frontend that counts bodies, of requests that another one let in."""


def _listeners(settings: ProxySettings, layout: Layout) -> Iterator[Listener]:
    options = settings.options
    logging, ids = tuple(request_log.frontend_rules(settings)), tuple(request_log.request_id_rules(settings))
    lines = {scheme: tuple(process_rules.listener_rules(settings, scheme=scheme)) for scheme in ("http", "https")}
    plain = tuple(process_rules.binds(settings, crt_list=""))
    yield Listener(
        "http",
        settings.http_port,
        (*plain, *lines["http"]),
        record_field=RECORD_OVER_HTTP,
        options=options,
        logging=logging,
        logging_ids=ids,
    )
    tls = (*process_rules.binds(settings, crt_list=layout.crt_list), *client_tls.connection_rules(layout))
    yield Listener(
        "https", 443, (*tls, *lines["https"]), record_field=RECORD_OVER_TLS, options=options, logging=logging, logging_ids=ids
    )


def _frontend_section(name: str, listener: Listener, layout: Layout, phases: "tuple[Phase, ...]") -> Section:
    lines = [*listener.binds, *listener.logging]
    for phase in phases:
        lines += phase(listener, layout)
    return section("frontend", name, "from", "base", lines=lines)


def _refuse(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from rare_headers.request_rules(listener.options)
    # A pod that says yes to CONNECT would get a tunnel past every guard, and TRACE shows what was meant for the pod alone. A
    # WebSocket over HTTP/2 (RFC 8441) is a GET by now, and one method is compared faster than two.
    yield rule("http-request deny deny_status 405", when=f"!{{ method GET }} {{ method {' '.join(REFUSED_METHODS)} }}")
    # A slash in Host would move the border between host and path in the look-up key, and with it past a route's guards.
    yield rule("http-request deny deny_status 400", when="{ req.hdr(host) -m sub / }")
    # HTTP/1.0 has no chunks (RFC 9112 section 6.1): a pod that goes by that takes the body for further requests.
    yield rule("http-request deny deny_status 400", when=f"{RARE} {{ req.ver 1.0 }} {{ req.hdr(transfer-encoding) -m found }}")


def _find_client(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from client_address.request_rules(listener.options)


def _forward(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    yield from client_tls.cleaning_rules(listener.options)
    yield from forwarded.request_rules(listener.options, scheme=listener.scheme, port=listener.port)
    yield from answers.request_rules(listener.options)
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
    yield rule("http-request set-var(txn.route)", _ROUTE)
    limit = listener.options.proxy_body_size
    has_no_canary = f"!{{ var(txn.record) -m beg {CANARY_MARK} }}"
    if not listener.is_metered:  # most requests have no body, so they need not come past the rules for bodies
        yield from counting.request_rules(when=f"{body_size.BODILESS} {has_no_canary}")
        yield rule("http-request allow", when="{ sc0_tracked }")
    yield from body_size.request_rules(layout.map(Map.BODY_LIMITS), limit)
    if listener.is_metered:
        yield from body_meter.metering_rules(layout, limit)
    else:
        yield from body_meter.request_rules(layout, limit, scheme=listener.scheme)
    yield from counting.request_rules(when=has_no_canary)
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
    find_kind = ("http-request set-var(txn.kind)", f"var(txn.virtual_host),map_str({layout.map(Map.HOSTS)})")
    yield rule(*find_kind)
    is_unknown = "!{ var(txn.kind) -m found }"
    for wider in ('var(txn.host),regsub("^[^.]+","*")', f"str({ANY_HOST_KEY})"):
        yield rule("http-request set-var(txn.virtual_host)", wider, when=is_unknown)
        yield rule(*find_kind, when=is_unknown)
    too_long = f"{{ var(txn.kind) -m str {HostKind.REPEATING.value} }} {{ var(txn.decoded) -m len gt {_LONGEST_REPEATED} }}"
    yield rule("http-request deny deny_status 400", when=too_long)
    record = "http-request set-var(txn.record)"
    looked_up = {
        (HostKind.PLAIN,): f"concat(,txn.path,{EXACT_END}),map_beg({layout.map(Map.ROUTES)})",
        (HostKind.FOLDED,): f"concat(,txn.path,/),lower,map_beg({layout.map(Map.FOLDED_ROUTES)})",
        (HostKind.REGEX, HostKind.REPEATING): f"concat(,txn.decoded),map_reg({layout.map(Map.REGEX_ROUTES)})",
    }
    for kinds, find in looked_up.items():
        names = " ".join(kind.value for kind in kinds)
        yield rule(record, f"var(txn.virtual_host),{find}", when=f"{{ var(txn.kind) -m str {names} }}")
    yield rule(record, f"str({DEFAULT_ROUTE_KEY}),map_beg({layout.map(Map.ROUTES)})", when=_UNROUTED)
    yield rule(record, f"str({fixed_record(NOT_FOUND_BACKEND, counting.UNROUTED)})", when=_UNROUTED)
    yield from _end_without_canary(listener, layout)


def _choose_canary(_listener: Listener, layout: Layout) -> Iterator[Directive]:
    maps = {
        "canaries_map": Map.CANARIES,
        "records_map": Map.CANARY_ROUTES,
        "patterns_map": Map.CANARY_PATTERNS,
        "servers_map": Map.SERVERS,
    }
    yield from canary.request_rules(**{parameter: layout.map(name) for parameter, name in maps.items()})
    yield rule("http-request set-var(txn.route)", _ROUTE)
    yield from counting.request_rules()


def _hand_over(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    over_tls, over_http = (f"%[var(txn.record),field({number},|)]" for number in (RECORD_OVER_TLS, RECORD_OVER_HTTP))
    if listener.options.scheme_is_told:
        yield rule("use_backend", over_http, when=forwarded.is_scheme(listener.options, "http"))
        yield rule("use_backend", over_tls)
    else:
        yield rule("use_backend", f"%[var(txn.record),field({listener.record_field},|)]")


def _take_over(listener: Listener, _layout: Layout) -> Iterator[Directive]:
    """What the first frontend found, where it is not in headers."""
    yield from body_meter.frontend_rules()
    yield from rare_headers.request_rules(listener.options)
    yield from forwarded.taking_over_rules(listener.options)
    yield from listener.logging_ids


Phase = Callable[[Listener, Layout], Iterable[Directive]]

FRONTEND_PHASES: tuple[Phase, ...] = (
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

METERED_PHASES: tuple[Phase, ...] = (
    _take_over,
    _find_route_at_once,
    _normalise,
    _find_route_by_host,
    _choose_canary,
    _count_responses,  # the first frontend, which counted nothing, changes the answers
    _hand_over,
)
