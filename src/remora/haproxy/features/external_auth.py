"""Authentication by another service: a Lua action asks it, through the frontend `external-auth` on a Unix socket, which finds
the service by the route's id. So an auth service is a backend of the pool like others, and follows its pods at once.

Whatever goes wrong ends in 500. How it counts together with other parties, `features.access` says.
"""

from collections.abc import Iterator
from urllib.parse import quote

from remora.haproxy.features import error_pages
from remora.haproxy.features.access import GRANTED, IS_ANY, MUST_ALL, refusal_rules
from remora.haproxy.grammar import Directive, Section, rule, section
from remora.haproxy.layout import Layout
from remora.haproxy.maps import Map
from remora.model import ExternalAuth, Route, Template

FRONTEND = "external-auth"
"""Where Lua asks. Only HAProxy itself can reach its socket."""

_COOKIES = 8
"""Cookies of one answer that reach the client."""

_COOKIE_STATUSES = "200 201 204 206 301 302 303 304 307 308"
_LONGEST_BODY = 4096
"""Bytes of a body that are read to its end, so that the connection stays; nobody looks at them."""

_IS_ASKED = "{ var(txn.external_auth) -m found }"


def finding_rules(layout: Layout) -> Iterator[Directive]:
    """Finds the route's entry."""
    yield rule("http-request set-var(txn.external_auth)", f"var(txn.route),map_str({layout.map(Map.EXTERNAL_AUTH)})")


def request_rules(layout: Layout) -> Iterator[Directive]:
    """Asks the service, and refuses what it does not grant."""
    # Called where somebody else granted access already as well: what the client says for the service must go in any case.
    yield rule("http-request lua.authenticate", when=_IS_ASKED)
    failed = f"{_IS_ASKED} !{GRANTED} !{{ var(txn.auth_status) -m int 200 401 403 }}"
    yield from error_pages.rules_before_denial(500, layout.map(Map.ERROR_PAGES), when=failed)
    yield rule("http-request deny deny_status 500", when=failed)
    says = "{ var(txn.auth_status) -m int %d }"
    yield rule("http-request set-var(txn.granted) bool(true)", when=f"{says % 200} {IS_ANY}")
    no_challenge = "!{ var(txn.refusal) -m int 401 }"
    yield rule("http-request set-var(txn.refusal) int(403)", when=f"{says % 403} {IS_ANY} {no_challenge}")
    yield rule("http-request set-var(txn.refusal) int(401)", when=f"{says % 401} {IS_ANY}")
    for status in (401, 403):
        yield from refusal_rules(layout, status, when=f"{says % status} {MUST_ALL}")


def response_rules() -> Iterator[Directive]:
    """The service's cookies and its challenge, on whatever answer the client gets."""
    challenge = "{ var(txn.auth_status) -m int 401 } { status 401 } { var(txn.upstream_http_www_authenticate) -m found }"
    add_header = "http-after-response add-header"
    yield rule(f"{add_header} WWW-Authenticate", "%[var(txn.upstream_http_www_authenticate)]", when=challenge)
    for number in range(1, _COOKIES + 1):
        found = f"{{ var(txn.auth_cookie{number}) -m found }}"
        passes = f"{{ status {_COOKIE_STATUSES} }} or {found} {{ var(txn.auth_cookies_always) -m bool }}"
        yield rule(f"{add_header} Set-Cookie", f"%[var(txn.auth_cookie{number})]", when=f"{found} {passes}")


def sections(*, defaults: str, socket: str, routes_map: str, nowhere: str) -> Iterator[Section]:
    """The frontend that Lua asks."""
    is_long = f"{{ res.hdr(content-length) -m int gt {_LONGEST_BODY} }} !{{ method HEAD }}"
    is_endless = "!{ res.hdr(content-length) -m found } !{ method HEAD } !{ status 204 304 }"
    lines = [
        rule("bind", f"unix@{socket}", "mode", "600"),
        rule("http-request set-var(txn.record)", f"req.hdr(x-remora-route),map_str({routes_map})"),
        rule("http-request set-method", "%[req.hdr(x-remora-method)]", when="!{ req.hdr(x-remora-method) -m str GET HEAD }"),
        rule("http-request del-header X-Remora-Route"),
        rule("http-request del-header X-Remora-Method"),
        rule("http-response lua.keep_head", when=f"{is_long} or {is_endless}"),
        rule("use_backend", "%[var(txn.record),field(-1,|)]", when="{ var(txn.record) -m found }"),
        rule("default_backend", nowhere),
    ]
    yield section("frontend", FRONTEND, "from", defaults, lines=lines)


def is_wanted(route: Route) -> bool:
    """Whether the route needs the rules above."""
    return route.external_auth is not None


def auth_entry(auth: ExternalAuth) -> str:
    """The value of the map `external-auth`: method, host, target, milliseconds, cookies, headers of the answer and of the
    question, way back, sign-in, key and durations; by `|`. Nothing in it has to be told apart from its separators."""
    durations = ",".join(f"{status or 'any'}:{seconds}" for status, seconds in auth.cache_durations)
    fields = (
        auth.method,
        auth.host,
        template_text(auth.target),
        str(auth.timeout * 1000),
        "always" if auth.always_set_cookie else "usual",
        ",".join(auth.response_headers),
        ",".join(f"{name}={template_text(value)}" for name, value in auth.sent_headers),
        template_text(auth.redirect),
        template_text(auth.sign_in),
        template_text(auth.cache_key),
        durations,
    )
    return "|".join(fields)


def template_text(template: Template) -> str:
    """Pieces by `+`: text percent-encoded, variables behind a `$`."""
    pieces = (f"${piece}" if number % 2 else quote(piece, safe="") for number, piece in enumerate(template))
    return "+".join(piece for piece in pieces if piece)
