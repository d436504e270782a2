"""Sessions that broke, and why: counted beside the requests of their route, in counters of the same table.

A session that is followed never comes here: these rules stand behind the `allow` that ends the answer's rules for it. What
they test is what `features.affinity` found in the request; a rule that takes a session away itself counts it with `count_rule`.
"""

from collections.abc import Iterator
from enum import Enum

from remora.haproxy.features.counting import COUNTERS as REQUEST_COUNTERS
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.pool import Algorithm


class Reason(Enum):
    """Why a client is not on the pod that its cookie names."""

    GONE = "gone"
    """The cookie names a pod that is not there any more."""
    FAILED = "failed"
    """Its pod was tried, and another one answered."""
    MOVED = "moved"
    """Balanced mode: its pod is there, and the ring gave it another, since there are more pods; or its pod was tried and
    failed, which cannot be told apart there."""
    EXPIRED = "expired"
    """Its lifetime was over."""
    FULL = "full"
    """It was to begin anew, and no pod took another session: the answer is 503."""
    UNREADABLE = "unreadable"
    """The cookie is none that Remora or ingress-nginx issued."""


_NUMBERS = {reason: number for number, reason in enumerate(Reason, start=REQUEST_COUNTERS)}

COUNTERS = len(Reason)
"""How many counters the table needs beside those of requests."""

_NAME = "^(?:[0-9a-f]{20}|[0-9a-f]{32})$"
"""A server's name, or a key of ingress-nginx."""


def count_rule(reason: Reason, when: str, *, stage: str = "http-after-response") -> Directive:
    """Counts a broken session of the request's route."""
    return rule(f"{stage} sc-inc-gpc({_NUMBERS[reason]},0)", when=when)


def counted_reason(number: int) -> Reason | None:
    """What a counter of the table counts; None for one of requests."""
    return next((reason for reason, one in _NUMBERS.items() if one == number), None)


def response_rules(algorithm: Algorithm, *, servers_map: str) -> Iterator[Directive]:
    """For answers of a server that is not the one that the session names; of others only the first test is for."""
    strayed = "!{ srv_name,strcmp(txn.session) eq 0 }"
    # Without a cookie of the name, `txn.session` is not there, or is that name.
    has_cookie = "!{ var(txn.record),field(3,|),strcmp(txn.session) eq 0 }"
    # One of ingress-nginx, or one that the application names, names its pod in other words, and was followed if that answered.
    followed = (f"!{{ srv_name,strcmp(txn.{other}) eq 0 }}" for other in ("former_server", "learned"))
    yield rule("http-after-response set-var(txn.lost)", "var(txn.session)", when=" ".join((strayed, has_cookie, *followed)))
    is_lost = "{ var(txn.lost) -m found }"
    yield rule("http-after-response set-var(txn.named)", f"be_name,concat(/,txn.lost),map_str({servers_map})", when=is_lost)
    is_there = "{ var(txn.named) -m found }"
    yield count_rule(Reason.MOVED if algorithm is Algorithm.BALANCED else Reason.FAILED, is_there)
    yield count_rule(Reason.GONE, f"{is_lost} !{is_there} {{ var(txn.lost) -m reg {_NAME} }}")
    yield count_rule(Reason.UNREADABLE, f"{is_lost} !{is_there} !{{ var(txn.lost) -m reg {_NAME} }}")
