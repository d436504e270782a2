"""Requests by route and status, counted by HAProxy in a stick table: no log is parsed for metrics."""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule

TABLE = "requests"
"""The name of the table; its keys are route ids, and `-` for requests without a route."""

UNROUTED = "-"

_SUCCESS = (200, 304, 404, 201, 202, 204, 206, 101)
_REDIRECT = (301, 302, 303, 307, 308)
_ERROR = (400, 401, 403, 405, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504)
COUNTED = (*_SUCCESS, *_REDIRECT, *_ERROR)
"""Statuses with a counter of their own, most frequent first; counter number i of the table counts `COUNTED[i]`."""

OTHER_CLASSES = (100, 200, 300, 400, 500)
"""All other statuses, by their class; these counters follow those of COUNTED."""

COUNTERS = len(COUNTED) + len(OTHER_CLASSES)


def request_rules(when: str = "") -> Iterator[Directive]:
    """Names the route to count for."""
    yield rule("http-request track-sc0", "var(txn.route)", "table", TABLE, when=when)


def response_rules() -> Iterator[Directive]:
    """One increment an answer; `allow` ends the rules, so a 200 pays for one test."""
    for number, status in enumerate(COUNTED):
        yield rule(f"http-after-response sc-inc-gpc({number},0)", when=f"{{ status {status} }}")
        yield rule("http-after-response allow", when=f"{{ status {status} }}")
    for number, first in enumerate(OTHER_CLASSES, start=len(COUNTED)):
        yield rule(f"http-after-response sc-inc-gpc({number},0)", when=f"{{ status {first}:{first + 99} }}")


def counted_status(number: int) -> int:
    """What counter `number` counts; for a class, its first status."""
    return (*COUNTED, *OTHER_CLASSES)[number]
