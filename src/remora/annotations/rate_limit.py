"""Limits on rates and connections (behaviour reference, part B, section 3)."""

import re
from dataclasses import dataclass

from remora.annotations.configmap.values import networks
from remora.annotations.declare import OnInvalid, Support, annotation
from remora.annotations.values import ValueRefused, choice, integer, shown, trimmed

_MOST = 1_000_000
_SHIFTS = {"": 0, "k": 0, "m": 10, "g": 20}
_DENIED = ("http-request track-sc3", "http-request deny")


def limit(text: str) -> int:
    """A whole number; 0 and less set no limit."""
    value = integer(trimmed(text))
    if value > _MOST:
        raise ValueRefused(f"{shown(text)} is more than {_MOST}")
    return max(0, value)


def kilobytes(text: str) -> int:
    """A whole number of kilobytes, or with `k`, `m` or `g` behind it of that unit; 0 and less set no limit."""
    value = trimmed(text)
    found = re.fullmatch(r"([+-]?[0-9]{1,9})([kmg]?)", value.lower())
    if not found:
        raise ValueRefused(f"{shown(value)} is not a number of kilobytes, nor a size such as 500k or 1m")
    return max(0, int(found[1]) << _SHIFTS[found[2]])


def multiplier(text: str) -> int:
    """A whole number of 0 to 1000."""
    value = integer(trimmed(text))
    if not 0 <= value <= 1000:
        raise ValueRefused(f"{shown(text)} is not within 0 to 1000")
    return value


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much one client address may ask for."""

    per_second: int = annotation(
        "limit-rps",
        limit,
        default=0,
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="Requests a second from one address, over all paths of the Ingress; 0 sets no limit. More are answered with 503.",
        accepts=("10", "0", "-1"),
        refuses=("10r/s", "", "1.5"),
        haproxy=_DENIED,
    )
    per_minute: int = annotation(
        "limit-rpm",
        limit,
        default=0,
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="Requests a minute from one address; 0 sets no limit.",
        accepts=("60", "0"),
        refuses=("1/s", ""),
        haproxy=_DENIED,
    )
    burst_multiplier: int = annotation(
        "limit-burst-multiplier",
        multiplier,
        default=5,
        doc="How many times the rate may come at once.",
        accepts=("3", "0"),
        refuses=("-1", "many"),
    )
    connections: int = annotation(
        "limit-connections",
        limit,
        default=0,
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="Requests at the same time from one address; 0 sets no limit. More are answered with 503.",
        accepts=("20", "0"),
        refuses=("20c", ""),
        haproxy=_DENIED,
    )
    exempt: tuple[str, ...] = annotation(
        "limit-allowlist",
        networks,
        default=(),
        aliases=("limit-whitelist",),
        guards=True,
        on_invalid=OnInvalid.DENY,
        doc="Addresses and networks that have no limits but that on bandwidth, between commas.",
        accepts=("10.0.0.0/8, 2001:db8::/32",),
        refuses=("10.0.0.0/40", "localhost", ""),
    )
    bandwidth: int = annotation(
        "limit-rate",
        kilobytes,
        default=0,
        global_key="limit-rate",
        doc="Kilobytes a second of one response, or with `m` behind it megabytes; 0 sets no limit.",
        accepts=("100", "0", "100k", "5m"),
        refuses=("100kb", ""),
        haproxy=("filter bwlim-out",),
    )
    bandwidth_after: int = annotation(
        "limit-rate-after",
        kilobytes,
        default=0,
        global_key="limit-rate-after",
        doc="The kilobytes of a response that `limit-rate` leaves alone.",
        support=Support.PARTIAL,
        differs="A response that says it has no more is sent as fast as it can be; any other is slow from its beginning.",
        accepts=("1024", "0", "10m"),
        refuses=("1 MB",),
    )
    scope: str = annotation(
        "limit-scope",
        choice("replica", "cluster"),
        default="replica",
        own=True,
        doc="`cluster` counts `limit-rps` and `limit-rpm` over all replicas of the controller, `replica` for each by itself.",
        accepts=("cluster", "replica"),
        refuses=("all",),
        haproxy=("stick-table … peers",),
    )
