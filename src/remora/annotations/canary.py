"""Canary releases (behaviour reference, part A, section 2)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation, planned
from remora.annotations.values import boolean


@dataclass(frozen=True, slots=True)
class Canary:
    """The part of another Ingress's requests that goes to this one's backend."""

    enabled: bool = annotation(
        "canary",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        support=Support.PARTIAL,
        differs="The canary gets no requests yet: its Ingress is left out.",
        doc="`true` makes the Ingress a canary of the one that has the same host and path.",
        accepts=("true", "false"),
        refuses=("always",),
    )
    weight: str = planned("canary-weight", "The percentage of requests that go to the canary.", scope=Scope.BACKEND)
    weight_total: str = planned("canary-weight-total", "What `canary-weight` is a part of.", scope=Scope.BACKEND)
    by_header: str = planned(
        "canary-by-header",
        "The request header that sends to the canary (`always`) or not (`never`).",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
    )
    by_header_value: str = planned(
        "canary-by-header-value", "The header's value that sends to the canary.", scope=Scope.BACKEND, risk=Risk.MEDIUM
    )
    by_header_pattern: str = planned(
        "canary-by-header-pattern",
        "A regular expression for the header's value that sends to the canary.",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
    )
    by_cookie: str = planned(
        "canary-by-cookie",
        "The cookie that sends to the canary (`always`) or not (`never`).",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
    )
