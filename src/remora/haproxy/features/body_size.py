"""The largest body of a request.

The limit of most routes is the program's own, that of others an entry of a map; only requests with a body look it up. One
that says that it is larger gets the backend below, before its route's redirects, preflights and guards.

A body of unknown length (chunked, or HTTP/2 without Content-Length) has at this point the size of what has arrived, at most a
buffer; the rest is counted by `body_meter`.
"""

from collections.abc import Iterator

from remora.haproxy.features import error_pages
from remora.haproxy.grammar import Directive, Section, rule, section
from remora.haproxy.maps import fixed_record
from remora.model import Route

BACKEND = "too-large"
"""Answers 413."""

PAGE = "<html><head><title>413 Request Entity Too Large</title></head><body><h1>413 Request Entity Too Large</h1></body></html>"
"""On one line, since HAProxy's configuration language has no other texts."""

_STATUS = 413
_HAS_BODY = "{ req.body_size gt 0 }"

BODILESS = "{ internal.htx.has_eom } { internal.htx_blk.type(tail) -m str HTX_BLK_EOH }"
"""Holds for a request that has arrived as a whole and ends with its headers."""


def request_rules(limits_map: str, default: int) -> Iterator[Directive]:
    """The frontends' rules, once `txn.route` and `txn.record` are found."""
    yield rule("http-request set-var(txn.body_limit)", f"var(txn.route),map_str_int({limits_map},{default})", when=_HAS_BODY)
    is_larger = "{ var(txn.body_limit) -m int gt 0 } { req.body_size,sub(txn.body_limit) gt 0 }"
    yield rule("http-request set-var(txn.record)", f"str({fixed_record(BACKEND)})", when=is_larger)


def section_of(defaults: str, pages_map: str) -> Section:
    """The backend."""
    lines = [
        *error_pages.request_rules(pages_map),
        *error_pages.rules_before_denial(_STATUS, pages_map, when=_HAS_BODY),
        rule("http-request use-service lua.too_large"),
    ]
    return section("backend", BACKEND, "from", defaults, lines=lines)


def limit_entry(route: Route) -> str:
    """The route's value in the map `body-limits`; "" for the program's own."""
    return "" if route.body_limit is None else str(route.body_limit)
