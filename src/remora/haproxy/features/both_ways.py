"""Client and pod that answer each other while neither has ended, as in a gRPC call that streams both ways.

While a filter looks at the body from one side and none at the other's, HAProxy 2.8 may keep what comes from the other side
until something else happens to the stream (its `sc_notify` asks the wrong side whether more is expected). So who looks at one
body looks at both: where that is a filter of HAProxy for responses, requests get one of their own that holds nothing back.
"""

from collections.abc import Iterator

from remora.haproxy.grammar import Directive, rule

_FILTER = "both-ways"
_GOES_ON = "!{ internal.htx.has_eom }"


def filter_rules() -> Iterator[Directive]:
    """Where the filter for responses is declared."""
    yield rule(f"filter bwlim-in {_FILTER} default-limit 1g default-period 1s")


def request_rules(*, when: str = "") -> Iterator[Directive]:
    """For requests whose response may be filtered, if they go on after their head."""
    yield rule(f"http-request set-bandwidth-limit {_FILTER}", when=f"{when} {_GOES_ON}".lstrip())
