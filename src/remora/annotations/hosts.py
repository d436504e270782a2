"""Further names of a host (behaviour reference, part A, section 7)."""

import re
from dataclasses import dataclass

from remora.annotations.declare import OnInvalid, Risk, Scope, Support, annotation
from remora.annotations.values import ValueRefused, comma_list, shown


def server_names(text: str) -> tuple[str, ...]:
    """Names between commas, of the characters that ingress-nginx takes in them."""
    names = comma_list(text)
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9\-._~/:^$\[\](){}*+?|&=\\]+", name):
            raise ValueRefused(f"{shown(name)} is no name of a host")
    return tuple(sorted(set(names)))


@dataclass(frozen=True, slots=True)
class Aliases:
    """Names under which a host is served as well."""

    names: tuple[str, ...] = annotation(
        "server-alias",
        server_names,
        default=(),
        scope=Scope.HOST,
        risk=Risk.HIGH,
        on_invalid=OnInvalid.DENY,
        support=Support.PARTIAL,
        differs="`*.example.com` stands for exactly one label; regular expressions (`~…`) and `example.*` are left out, with a "
        "Problem.",
        doc="Further names of the host, between commas; `.example.com` stands for itself and `*.example.com`.",
        accepts=("a.example, b.example", "*.example.com", ".example.com", "~^a[0-9]+$"),
        refuses=("a b", "a;b", ""),
        haproxy=("map_beg",),
    )
