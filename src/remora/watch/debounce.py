"""When to act on Changes, as a rule on given times.

A burst waits for quiet, but never longer than a maximum, so that a cluster which is never quiet is served as well. Changes of
endpoints do not wait: a pod that went is a pod that fails requests.
"""

from collections.abc import Iterable

import msgspec

from remora.kube.objects import DnsAnswer, EndpointSlice
from remora.watch.snapshot import Change


class Debounce(msgspec.Struct, frozen=True):
    """How long to wait, in seconds: for `quiet` since the last Change, at the most `maximum` since the first."""

    quiet: float = 0.002
    maximum: float = 0.1


class Burst(msgspec.Struct, frozen=True):
    """Changes that wait together: the times, of one clock, of the first and the last of them, and whether one is urgent."""

    first: float
    last: float
    urgent: bool = False


def is_urgent(change: Change) -> bool:
    """Whether a Change is not to wait."""
    return change.kind in (EndpointSlice, DnsAnswer)


def grown(burst: Burst | None, changes: Iterable[Change], now: float) -> Burst | None:
    """The burst after more Changes came at `now`; None if nothing waits."""
    arrived = tuple(changes)
    if not arrived:
        return burst
    first = burst.first if burst else now
    return Burst(first=first, last=now, urgent=any(map(is_urgent, arrived)) or (burst is not None and burst.urgent))


def due_time(burst: Burst, rule: Debounce) -> float:
    """The time at which to act on a burst to which nothing is added; in the past if it is overdue."""
    if burst.urgent:
        return burst.first
    return min(burst.last + rule.quiet, burst.first + rule.maximum)
