"""Canary releases (behaviour reference, part A, section 2)."""

from dataclasses import dataclass

from remora.annotations.declare import Risk, Scope, Support, annotation
from remora.annotations.values import basic, boolean, integer, pattern, spaced_basic


@dataclass(frozen=True, slots=True)
class Canary:
    """The part of another Ingress's requests that goes to this one's backend."""

    enabled: bool = annotation(
        "canary",
        boolean,
        default=False,
        scope=Scope.BACKEND,
        support=Support.PARTIAL,
        differs="It belongs to the other Ingress's rule, not to its Service: other hosts and paths of the Service are left "
        "alone, and the canary also answers while the Service has no pods.",
        doc="`true` makes the Ingress a canary of the one that has the same host, path and path type.",
        accepts=("true", "false"),
        refuses=("always",),
        haproxy=("map_str", "nbsrv"),
    )
    weight: int = annotation(
        "canary-weight",
        integer,
        default=0,
        scope=Scope.BACKEND,
        doc="How many of `canary-weight-total` requests go to the canary, by chance.",
        accepts=("0", "10", "100", "-1"),
        refuses=("10%", "0.5", ""),
        haproxy=("rand",),
    )
    weight_total: int = annotation(
        "canary-weight-total",
        integer,
        default=100,
        scope=Scope.BACKEND,
        doc="What `canary-weight` is a part of; below 100 it counts as 100.",
        accepts=("100", "1000"),
        refuses=("many", "1e3"),
        haproxy=("rand",),
    )
    by_header: str = annotation(
        "canary-by-header",
        basic,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        support=Support.PARTIAL,
        differs="A header that is sent several times counts with its last value; names with `_` are found.",
        doc="The request header that sends to the canary (`always`) or not (`never`), unless a value or a pattern is given.",
        accepts=("X-Canary", "x-canary"),
        refuses=("X Canary", "a;b", ""),
        haproxy=("req.hdrs",),
    )
    by_header_value: str = annotation(
        "canary-by-header-value",
        spaced_basic,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="The header's value that sends to the canary; all others decide nothing.",
        accepts=("beta", "user one"),
        refuses=("a|b", "a,b", "a\nb"),
        haproxy=("req.hdrs",),
    )
    by_header_pattern: str = annotation(
        "canary-by-header-pattern",
        pattern,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="A regular expression for the header's value that sends to the canary, where no `canary-by-header-value` is.",
        accepts=("DE|FR", "^beta-[0-9]+$"),
        refuses=("a b", "a,b", "é"),
        haproxy=("map_reg",),
    )
    by_cookie: str = annotation(
        "canary-by-cookie",
        basic,
        default="",
        scope=Scope.BACKEND,
        risk=Risk.MEDIUM,
        doc="The cookie that sends to the canary (`always`) or not (`never`).",
        accepts=("beta", "canary_user"),
        refuses=("a b", "a;b"),
        haproxy=("req.fhdr(cookie)",),
    )
