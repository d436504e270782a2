"""Default backends of routes, and pages of a default backend in place of errors.

While a rule's service has no endpoints its route leads to the default backend itself, so that costs nothing else; the request
is told why. An error that a pod answers is replaced by Lua, which fetches the page through the frontend `error-pages`: that
finds the default backend by the route's id. Requests without an error pay for keeping what they asked for.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, Section, rule, section
from remora.model import ErrorContext, ErrorPages, ForwardTo, Route

NOT_FOUND_PAGE = "<html><head><title>404 Not Found</title></head><body><center><h1>404 Not Found</h1></center></body></html>"
"""On one line, since HAProxy's configuration language has no other texts."""

FRONTEND = "error-pages"
"""Where Lua asks for pages. Only HAProxy itself can reach its socket."""

_AS_IT_IS, _AT_ROOT, _FETCHED, _BUILT_IN = "as-it-is", "root", "page", "built-in"
"""What the map `error-pages` begins with: the request goes to a default backend, as it is or to `/`; answers are replaced, by
those of a default backend or by the built-in one."""

_ENTRY = "var(txn.error_pages)"
_CODE = 503
"""The only error that is known before a backend is chosen."""

_TOLD = {"X-Namespace": 2, "X-Ingress-Name": 3, "X-Service-Name": 4, "X-Service-Port": 5}
"""Headers, and the fields of the map's value that they are made of."""

_NOT_FOR_PAGES = "^x-(real-ip|scheme|forwarded-(proto|host|port|scheme))$"


def request_rules(pages_map: str) -> Iterator[Directive]:
    """The rules of rich classes, before anything is rewritten."""
    yield rule("http-request set-var(txn.error_pages)", f"var(txn.route),map_str({pages_map})")
    # In an answer's rules nothing is known any more of what was asked.
    is_fetched = f"{{ {_ENTRY} -m beg {_FETCHED} }}"
    yield rule("http-request set-var(txn.asked_headers)", "req.hdrs", when=is_fetched)
    yield rule("http-request set-var-fmt(txn.asked)", "%[method] %[pathq]", when=is_fetched)
    # One variable for all that follows: most routes have none, and a text is compared once.
    yield rule("http-request set-var(txn.stand_in)", _ENTRY, when=f"{{ {_ENTRY} -m beg {_AS_IT_IS} {_AT_ROOT} }}")
    stands_in = "{ var(txn.stand_in) -m found }"
    at_root = f"{{ var(txn.stand_in) -m beg {_AT_ROOT} }}"
    # Whatever the client says there, it is no error of ours; the others are set in any case.
    yield rule("http-request del-header", "^x-(format|original-uri)$", "-m", "reg", when=stands_in)
    yield rule("http-request set-header X-Code", str(_CODE), when=stands_in)
    yield rule("http-request set-header X-Format", "%[req.fhdr(accept)]", when=f"{stands_in} {{ req.hdr(accept) -m found }}")
    for name, field in _TOLD.items():
        yield rule(f"http-request set-header {name}", f"%[var(txn.stand_in),field({field},|)]", when=stands_in)
    yield rule("http-request set-header X-Original-URI", "%[pathq]", when=at_root)
    yield rule("http-request set-path", "/", when=at_root)
    yield rule("http-request del-header", _NOT_FOR_PAGES, "-m", "reg", when=at_root)


def response_rules(pages_map: str) -> Iterator[Directive]:
    """What becomes of a pod's error; an answer that is none pays for one test. They stand last, since a page ends the rules."""
    has_pages = f"{{ {_ENTRY} -m beg {_FETCHED} {_BUILT_IN} }} !{{ {_ENTRY},field(6,|) -m len gt 0 }}"
    yield rule("http-response set-var(txn.error_status)", "status", when=f"{{ status 400:599 }} {has_pages}")
    yield from _answers("http-response", pages_map, action="answer_with_error_page")


def rules_before_denial(status: int, pages_map: str, *, when: str) -> Iterator[Directive]:
    """What stands before a `deny` of rich classes, so that a listed status has its page; `when` is that of the `deny`."""
    yield rule(f"http-request set-var(txn.error_status) int({status})", when=when)
    yield from _answers("http-request", pages_map, action="deny_with_error_page")


def _answers(keyword: str, pages_map: str, *, action: str) -> Iterator[Directive]:
    is_listed = (
        f"{{ var(txn.error_status) -m found }} {{ var(txn.route),concat(/,txn.error_status),map_str({pages_map}) -m found }}"
    )
    yield rule(f"{keyword} lua.{action}", when=f"{is_listed} {{ {_ENTRY} -m beg {_FETCHED} }}")
    built_in = f"{keyword} return status 404 content-type text/html string"
    yield rule(built_in, NOT_FOUND_PAGE, when=f"{is_listed} {{ {_ENTRY} -m beg {_BUILT_IN} }}")


def sections(*, defaults: str, socket: str, routes_map: str, nowhere: str, answers: tuple[Directive, ...]) -> Iterator[Section]:
    """The frontend that Lua asks. Its answers are marked, so that HAProxy's own are not taken for pages.

    `answers` are the rules for all answers of pods, which a page does not pass any more when it is there.
    """
    lines = [
        rule("bind", f"unix@{socket}", "mode", "600"),
        rule("http-request set-var(txn.record)", f"req.hdr(x-remora-route),map_str({routes_map})"),
        rule("http-request set-method", "%[req.hdr(x-remora-method)]"),
        rule("http-request del-header X-Remora-Route"),
        rule("http-request del-header X-Remora-Method"),
        # Lua reads an answer to its end, whatever its length; these are more than it can use.
        rule("http-response deny deny_status 502", when="{ res.hdr(content-length) -m int gt 16384 } !{ method HEAD }"),
        rule("http-response set-header X-Remora-Page", "1"),
        *answers,
        rule("use_backend", "%[var(txn.record),field(-1,|)]", when="{ var(txn.record) -m found }"),
        rule("default_backend", nowhere),
    ]
    yield section("frontend", FRONTEND, "from", defaults, lines=lines)


def is_wanted(route: Route) -> bool:
    """Whether the route needs the rules above."""
    return bool(route.error_pages or _stands_in(route))


def page_entries(route: Route) -> Iterator[tuple[str, str]]:
    """The route's entries of the map `error-pages`: how, and what is told, by `|`; and `route/status` for each that is listed.

    The sixth field is `x` where the pods' own answers stay. A default backend's error is not replaced again.
    """
    action, pages = route.action, route.error_pages
    if isinstance(action, ForwardTo) and action.stand_in:
        kind = _AT_ROOT if action.stand_in.at_root else _AS_IT_IS
        yield route.id, _entry(kind, action.stand_in.context)
    elif pages and isinstance(action, ForwardTo):
        kind = _FETCHED if pages.backend else _BUILT_IN
        yield route.id, _entry(kind, pages.context) + "|x" * pages.leaves_pods
        yield from ((f"{route.id}/{status}", "1") for status in pages.statuses)


def find_fetched(route: Route) -> ErrorPages | None:
    """The pages of a route for which a default backend is asked."""
    pages = route.error_pages
    is_fetched = isinstance(route.action, ForwardTo) and not _stands_in(route)
    return pages if pages and pages.backend and is_fetched else None


def _stands_in(route: Route) -> bool:
    return isinstance(route.action, ForwardTo) and route.action.stand_in is not None


def _entry(kind: str, context: ErrorContext) -> str:
    """
    Raises:
        ValueError: a name holds a `|` or a control character.
    """
    fields = (kind, context.namespace, context.ingress, context.service, context.port)
    if any("|" in field or not field.isprintable() for field in fields):
        raise ValueError(f"{fields!r} cannot be told apart")
    return "|".join(fields)
