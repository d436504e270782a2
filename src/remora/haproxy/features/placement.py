"""Where new sessions go, for routes that do not leave it to chance or that limit the sessions of a pod.

Only a request whose session has no pod comes to the Lua that chooses one (`lua/session_placement.lua`); it knows the number of
sessions of each pod from the controller's counts and from what it has placed since. The answer's cookie names the pod as that
of any session. In balanced mode its key is KEPT: the ring knows nothing of loads, so such a session follows its server.
"""

from collections.abc import Iterator

from remora.haproxy.features.broken_sessions import Reason, count_rule
from remora.haproxy.features.former_sessions import KEPT
from remora.haproxy.grammar import Directive, rule
from remora.haproxy.pool import Algorithm
from remora.model import Placement, SessionPolicy

LETTER = "n"
"""The switch of such routes in the map `cookies`."""

RETRY_AFTER = 10
"""Seconds after which a client may ask again when all pods are full: about as long as it takes until it is known that some
sessions have ended."""

_CHOOSERS = {
    Placement.RANDOM: "random",
    Placement.LEAST_SESSIONS: "sessions",
    Placement.LEAST_CONNECTIONS: "connections",
}
_IS_PLACED = "{ var(txn.placed) -m found }"
_IS_FULL = "{ var(txn.full) -m found }"


def is_wanted(policy: SessionPolicy) -> bool:
    """Whether new sessions of the route are placed by these rules."""
    return policy.limit is not None or policy.placement is not Placement.RANDOM


def placement_entry(policy: SessionPolicy) -> str:
    """The value of the map `placements`: what decides, the limit, and `overflow` if it may be exceeded, by `|`."""
    limit = "" if policy.limit is None else str(policy.limit)
    return f"{_CHOOSERS[policy.placement]}|{limit}|{'overflow' * policy.overflow}"


def request_rules(algorithm: Algorithm, *, is_on: str, placements_map: str, servers_map: str) -> Iterator[Directive]:
    """Finds `txn.placed`, the server of a new session. `is_on` holds for routes that want it."""
    has_pod = f"{{ be_name,concat(/,txn.session),map_str({servers_map}) -m found }}"
    is_new = f"{is_on} !{{ var(txn.former_server) -m found }} !{{ var(txn.learned) -m found }} !{has_pod}"
    yield rule("http-request set-var(txn.placement)", f"var(txn.route),map_str({placements_map})", when=is_new)
    yield rule("http-request lua.place_session", when="{ var(txn.placement) -m found }")
    text = ("content-type", "text/plain; charset=utf-8", "string", "All pods have as many sessions as they may have.")
    retry = ("hdr", "Retry-After", str(RETRY_AFTER))
    yield count_rule(Reason.FULL, _IS_FULL, stage="http-request")
    yield rule("http-request return status 503", *text, *retry, when=_IS_FULL)
    if algorithm is Algorithm.BALANCED:
        yield rule("http-request set-var(txn.key)", f"str({KEPT})", when=_IS_PLACED)


def choosing_rules() -> Iterator[Directive]:
    """Follows what was chosen, before the session itself: an unknown name would end HAProxy's search."""
    yield rule("use-server", "%[var(txn.placed)]", when=_IS_PLACED)


def response_rules() -> Iterator[Directive]:
    """Tells that a session that counts has its answer, and so is in the table of sessions."""
    yield rule("http-response lua.session_answered", when="{ var(txn.placed_in) -m found }")
